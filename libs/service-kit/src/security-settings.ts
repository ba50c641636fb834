import { z } from 'zod';
import { setting } from './config.ts';
import { booleanSchema, optionalTextSchema } from './setting-schemas.ts';

/** How a process secures its connections: settings of every service and of the command line. */
export const securitySettings = {
  tlsCertificateFile: setting({
    variable: 'LUNASTREAM_TLS_CERT',
    schema: optionalTextSchema,
    fallback: '',
    help: 'PEM file of the certificate that this process shows, with its chain; read again when it changes',
  }),
  tlsKeyFile: setting({
    variable: 'LUNASTREAM_TLS_KEY',
    schema: optionalTextSchema,
    fallback: '',
    help: 'PEM file of the private key of LUNASTREAM_TLS_CERT',
  }),
  tlsAuthorityFile: setting({
    variable: 'LUNASTREAM_TLS_CA',
    schema: optionalTextSchema,
    fallback: '',
    help: 'PEM file of the authorities to trust; a service that has it answers only clients with a certificate of theirs',
  }),
  isInsecureAllowed: setting({
    variable: 'LUNASTREAM_INSECURE',
    schema: booleanSchema,
    fallback: 'false',
    help: 'true allows connections without TLS beyond this machine, for a network that is itself secured',
  }),
  bearerToken: setting({
    variable: 'LUNASTREAM_TOKEN',
    schema: z
      .union([z.literal(''), bearerTokenSchema()])
      .transform((text) => (text === '' ? undefined : text)),
    fallback: '',
    help: 'Token that calls that start or stop runs must carry, 16..4096 visible characters',
    secret: true,
  }),
  bearerTokenFile: setting({
    variable: 'LUNASTREAM_TOKEN_FILE',
    schema: optionalTextSchema,
    fallback: '',
    help: 'File of that token, instead of LUNASTREAM_TOKEN; read again for every call',
  }),
} as const;

/** A token as it travels in a header: visible ASCII, long enough not to be guessed. */
export function bearerTokenSchema() {
  return z.string().regex(/^[\x21-\x7e]{16,4096}$/, { error: 'must be 16..4096 visible ASCII characters' });
}
