/**
 * Certificates for development and tests, made without openssl. A sub-path of its own: services check certificates and
 * never make any.
 */
export {
  DevelopmentAuthority,
  type CertificateSubject,
  type IssuedCertificate,
  type Validity,
} from './issue-certificates.ts';
