import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../test/run-command.ts';
import { openSecurity } from '../connection-options.ts';

const readCertificate = async (path: string) => new X509Certificate(await readFile(path));

describe('dev-ca', () => {
  it('makes an authority and, of it, a certificate for this machine and the hosts named', () =>
    withTemporaryFolder(async (folder) => {
      const out = join(folder, 'tls');
      const { exitCode, stdout, stderr } = await runCommand([
        'dev-ca',
        '--out',
        out,
        '--days',
        '2',
        '--host',
        'cache.example',
        '10.1.2.3',
      ]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toContain(`export LUNASTREAM_TLS_CA=${out}/ca.crt LUNASTREAM_TLS_CERT=${out}/tls.crt\n`);
      const authority = await readCertificate(join(out, 'ca.crt'));
      const certificate = await readCertificate(join(out, 'tls.crt'));
      expect([authority.ca, certificate.ca]).toEqual([true, false]);
      expect(certificate.checkIssued(authority) && certificate.verify(authority.publicKey)).toBe(true);
      for (const host of ['localhost', 'cache.example']) expect(certificate.checkHost(host)).toBe(host);
      for (const address of ['127.0.0.1', '10.1.2.3']) expect(certificate.checkIP(address)).toBe(address);
      const days = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 86_400_000;
      expect(days).toBe(2);
    }));

  it('keeps keys and token from other users, and the files can be used as they are', () =>
    withTemporaryFolder(async (folder) => {
      await runCommand(['dev-ca', '--out', folder]);
      for (const name of ['ca.key', 'tls.key', 'token']) {
        expect((await stat(join(folder, name))).mode & 0o777, name).toBe(0o600);
      }
      const security = openSecurity(
        {
          tlsCert: join(folder, 'tls.crt'),
          tlsKey: join(folder, 'tls.key'),
          tlsCa: join(folder, 'ca.crt'),
          tokenFile: join(folder, 'token'),
        },
        {},
      );
      expect(security.isMutual).toBe(true);
      expect(String(security.tokenMetadata().get('authorization'))).toMatch(/^Bearer [\w-]{43}$/);
      security.close();
    }));

  it('replaces nothing that somebody may trust already', () =>
    withTemporaryFolder(async (folder) => {
      await runCommand(['dev-ca', '--out', folder]);
      const before = await readFile(join(folder, 'ca.crt'), 'utf8');
      const { exitCode, stderr } = await runCommand(['dev-ca', '--out', folder]);
      expect(exitCode).toBe(2);
      expect(stderr).toBe(
        `lunastream: Cannot make ${folder}/ca.crt: the folder must have no such file, remove it or name another\n`,
      );
      expect(await readFile(join(folder, 'ca.crt'), 'utf8')).toBe(before);
    }));
});
