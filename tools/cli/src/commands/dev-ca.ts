import { mkdir, stat, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { DevelopmentAuthority } from '@lunastream/service-kit/development-ca';
import { CommandError } from '../errors.ts';
import { wholeNumber } from '../train-options.ts';
import type { CommandContext } from './context.ts';

const DAY_MS = 86_400_000;
const TOKEN_BYTES = 32;
/** Only the owner may read what lets others in. */
const SECRET_FILE = { mode: 0o600, flag: 'wx' } as const;

interface Options {
  readonly out: string;
  readonly host: readonly string[];
  readonly days: number;
}

export function registerDevCa(program: Command, { terminal }: CommandContext): void {
  program
    .command('dev-ca')
    .description(
      'make a certificate authority, a certificate and a token for development, not for production',
    )
    .option('--out <folder>', 'folder for ca.crt, ca.key, tls.crt, tls.key and token', '.lunastream/tls')
    .option('--host <name...>', 'further host names or IP addresses that the certificate stands for', [])
    .addOption(
      new Option('--days <count>', 'validity of all of it').default(30).argParser(wholeNumber(1, 825)),
    )
    .action(async ({ out, host, days }: Options) => {
      const folder = resolve(out);
      await makeFiles(folder, host, days);
      const file = (name: string) => join(folder, name);
      terminal.out(
        `made ${file('ca.crt')} and, of it, ${file('tls.crt')}; valid for ${days} days\n\n` +
          `export LUNASTREAM_TLS_CA=${file('ca.crt')} LUNASTREAM_TLS_CERT=${file('tls.crt')}\n` +
          `export LUNASTREAM_TLS_KEY=${file('tls.key')} LUNASTREAM_TOKEN_FILE=${file('token')}\n`,
      );
    });
}

/** @throws CommandError when one of the files is there: nothing that somebody may trust is ever replaced. */
async function makeFiles(folder: string, hosts: readonly string[], days: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const now = new Date();
  const validity = { notBefore: now, notAfter: new Date(now.getTime() + days * DAY_MS) };
  const paths = ['ca.crt', 'ca.key', 'tls.crt', 'tls.key', 'token'].map((name) => join(folder, name));
  for (const path of paths) {
    if ((await stat(path).catch(() => undefined)) !== undefined) {
      throw new CommandError(
        `Cannot make ${path}: the folder must have no such file, remove it or name another`,
      );
    }
  }
  const authority = await DevelopmentAuthority.create('lunastream development authority', validity);
  const { certificatePem, keyPem } = await authority.issue({
    name: 'lunastream development',
    hosts: [...new Set(['localhost', '127.0.0.1', '::1', ...hosts])],
  });
  await writeFile(join(folder, 'ca.crt'), authority.certificatePem, { flag: 'wx' });
  await writeFile(join(folder, 'ca.key'), authority.keyPem, SECRET_FILE);
  await writeFile(join(folder, 'tls.crt'), certificatePem, { flag: 'wx' });
  await writeFile(join(folder, 'tls.key'), keyPem, SECRET_FILE);
  await writeFile(join(folder, 'token'), `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`, SECRET_FILE);
}
