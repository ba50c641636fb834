import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../test/run-command.ts';
import { openSecurity, securedEnvironment } from './connection-options.ts';

const TOKEN = 'a-token-of-sixteen-or-more';

describe('flags of a connection', () => {
  it('stand for the settings of their name, before what the environment says', () => {
    const environment = { LUNASTREAM_TLS_CA: 'old.crt', LUNASTREAM_TOKEN: TOKEN, PATH: '/bin' };
    expect(securedEnvironment({}, environment)).toEqual(environment);
    const flags = {
      tlsCert: 'a.crt',
      tlsKey: 'a.key',
      tlsCa: 'ca.crt',
      tokenFile: 'token',
      insecure: true,
    } as const;
    expect(securedEnvironment(flags, environment)).toEqual({
      LUNASTREAM_TLS_CERT: 'a.crt',
      LUNASTREAM_TLS_KEY: 'a.key',
      LUNASTREAM_TLS_CA: 'ca.crt',
      LUNASTREAM_TOKEN_FILE: 'token',
      LUNASTREAM_TOKEN: undefined,
      LUNASTREAM_INSECURE: 'true',
      PATH: '/bin',
    });
  });

  it('give the token of a file', () =>
    withTemporaryFolder(async (folder) => {
      const tokenFile = join(folder, 'token');
      await writeFile(tokenFile, TOKEN);
      const security = openSecurity({ tokenFile }, { LUNASTREAM_TOKEN: 'one-that-is-in-the-way' });
      expect(security.tokenMetadata().get('authorization')).toEqual([`Bearer ${TOKEN}`]);
    }));

  it.each([
    [
      ['--trainer', 'trainer.example:50053'],
      /^lunastream: Cannot connect to trainer\.example:50053: connections that leave this machine need TLS/,
    ],
    [['--tls-ca', 'absent.crt'], /^lunastream: Cannot read the TLS authority absent\.crt: ENOENT/],
    [
      ['--tls-cert', 'absent.crt'],
      /^lunastream: Cannot use TLS: certificate and key come together, got only absent\.crt/,
    ],
    [['--token-file', 'absent'], /^lunastream: Cannot read the token file absent: ENOENT/],
  ])('are refused in one sentence: %j', async (flags, sentence) => {
    for (const command of [['runs'], ['watch', 'p/r'], ['stop', 'p/r']]) {
      const { exitCode, stdout, stderr } = await runCommand([...command, ...flags]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(sentence);
      expect(stderr.trimEnd()).not.toContain('\n');
    }
  });
});
