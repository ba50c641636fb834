import { isIPv6 } from 'node:net';
import { z } from 'zod';

const HOST_PORT = /^(?:\[(?<ipv6>[^\]]+)\]|[^\s:/,[\]]+):(?<port>\d{1,5})$/;

/** Text of an address "host:port", port 0..65535; an IPv6 host stands in brackets. */
export const addressSchema = z.string().refine(
  (text) => {
    const { ipv6, port } = HOST_PORT.exec(text)?.groups ?? {};
    return port !== undefined && Number(port) <= 65535 && (ipv6 === undefined || isIPv6(ipv6));
  },
  { error: 'must be host:port' },
);

/** An address, or "off" for none: undefined. */
export const addressOrOffSchema = z
  .union([z.literal('off'), addressSchema], { error: 'must be host:port or off' })
  .transform((text) => (text === 'off' ? undefined : text));

const DNS_SCHEME = 'dns:///';

/** Where servers are: an address "host:port", or "dns:///name:port" for all that the name stands for. */
export const targetSchema = z.string().refine(
  (text) => {
    const isName = text.startsWith(DNS_SCHEME);
    const address = isName ? text.slice(DNS_SCHEME.length) : text;
    return addressSchema.safeParse(address).success && !(isName && address.startsWith('['));
  },
  { error: 'must be host:port or dns:///name:port' },
);

/** Comma-separated targets, at least one. */
export const targetListSchema = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()))
  .pipe(z.array(targetSchema).min(1));

/** Whole number within bounds, both included. */
export function integerSchema(low: number, high: number): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^-?\d+$/, { error: `must be a whole number in ${low}..${high}` })
    .transform(Number)
    .refine((value) => value >= low && value <= high, { error: `must be in ${low}..${high}` });
}

const SIZE = /^(\d+)(B|KiB|MiB|GiB|TiB)?$/;
const UNIT_BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** Size such as "512MiB"; the value is in bytes. */
export const sizeSchema = z
  .string()
  .regex(SIZE, { error: 'must be a size such as 512MiB or 20GiB' })
  .transform((text) => {
    const [, count, unit = 'B'] = SIZE.exec(text) as unknown as [string, string, keyof typeof UNIT_BYTES];
    return Number(count) * UNIT_BYTES[unit];
  })
  .refine((bytes) => bytes > 0 && Number.isSafeInteger(bytes), {
    error: 'must be above 0 and below 8192TiB',
  });

/** Size such as "512MiB", or "0" for none. */
export const sizeOrNoneSchema = z.union([z.literal('0').transform(() => 0), sizeSchema], {
  error: 'must be 0 or a size such as 512MiB',
});

const NAMED_FOLDER = /^([A-Za-z0-9_-]+)=(.+)$/;

/** "name=folder", several separated by commas; names differ. */
export const namedFoldersSchema = z.string().transform((text, context) => {
  const matches = text.split(',').map((part) => NAMED_FOLDER.exec(part.trim()));
  if (matches.some((match) => match === null)) {
    context.addIssue({ code: 'custom', message: 'must be name=folder, several separated by commas' });
    return z.NEVER;
  }
  const folders = matches.map((match) => ({ name: match![1]!, folder: match![2]! }));
  if (new Set(folders.map(({ name }) => name)).size < folders.length) {
    context.addIssue({ code: 'custom', message: 'must name each data set once' });
    return z.NEVER;
  }
  return folders;
});

/** "true" or "false". */
export const booleanSchema = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((text) => text === 'true');

/** Any text; the empty one is undefined. */
export const optionalTextSchema = z.string().transform((text) => (text === '' ? undefined : text));

/** Level of the least important log lines that are written. */
export const logLevelSchema = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);
