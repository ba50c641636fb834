import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

/** ECDSA on P-256 with SHA-256: every TLS library knows it, and making a key takes a millisecond. */
const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' } as const;
const SERIAL_NUMBER_BYTES = 16;

/** A certificate and its private key, PEM. */
export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** When certificates are valid. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Whose certificate to issue. */
export interface CertificateSubject {
  /** Common name, for people. */
  readonly name: string;
  /** Host names and IP addresses that it stands for. */
  readonly hosts: readonly string[];
}

/** A certificate authority for development and tests: its key lies in a file or in memory, unprotected. */
export class DevelopmentAuthority {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly #certificate: X509Certificate;
  readonly #privateKey: webcrypto.CryptoKey;
  readonly #validity: Validity;

  private constructor(
    certificate: X509Certificate,
    keys: webcrypto.CryptoKeyPair,
    keyPem: string,
    validity: Validity,
  ) {
    this.#certificate = certificate;
    this.#privateKey = keys.privateKey;
    this.#validity = validity;
    this.certificatePem = withNewline(certificate.toString('pem'));
    this.keyPem = keyPem;
  }

  /** Makes an authority; what it issues is valid as long as it is, unless told otherwise. */
  static async create(name: string, validity: Validity): Promise<DevelopmentAuthority> {
    const keys = await makeKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      serialNumber: serialNumber(),
      ...validity,
      keys,
      signingAlgorithm: SIGNATURE_ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new DevelopmentAuthority(certificate, keys, await toPem(keys.privateKey), validity);
  }

  /** Issues a certificate for both ends of a connection: our services are servers and clients. */
  async issue({ name, hosts }: CertificateSubject, validity = this.#validity): Promise<IssuedCertificate> {
    const keys = await makeKeys();
    const certificate = await X509CertificateGenerator.create({
      subject: `CN=${name}`,
      issuer: this.#certificate.subject,
      serialNumber: serialNumber(),
      ...validity,
      publicKey: keys.publicKey,
      signingKey: this.#privateKey,
      signingAlgorithm: SIGNATURE_ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(
          hosts.map((host) => ({ type: isIP(host) === 0 ? 'dns' : 'ip', value: host })),
        ),
        await AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return {
      certificatePem: withNewline(certificate.toString('pem')),
      keyPem: await toPem(keys.privateKey),
    };
  }
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
}

async function toPem(key: webcrypto.CryptoKey): Promise<string> {
  return withNewline(PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY'));
}

/** Positive, as RFC 5280 wants it. */
function serialNumber(): string {
  const bytes = randomBytes(SERIAL_NUMBER_BYTES);
  bytes[0]! &= 0x7f;
  return bytes.toString('hex');
}

function withNewline(text: string): string {
  return `${text.trimEnd()}\n`;
}
