import { Metadata } from '@grpc/grpc-js';
import { DatasetServiceClient } from '@lunastream/contracts';
import { withTemporaryFolder } from '@lunastream/testing';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { datasetService, summary } from '../test/dataset-service.ts';
import { expired, issueLocal, makeAuthority, TlsFolder, type WatchedSecurity } from '../test/tls-files.ts';
import type { ConnectionSecurity } from './connection-security.ts';
import type { DevelopmentAuthority, IssuedCertificate } from './development-ca/index.ts';
import { callUnary, createClient, type ConnectOptions } from './grpc-client.ts';
import { failureOf, startInProcessServer, type InProcessServer } from './testing/index.ts';

let authority: DevelopmentAuthority;
let otherAuthority: DevelopmentAuthority;
beforeAll(async () => {
  authority = await makeAuthority();
  otherAuthority = await makeAuthority('another authority');
});

/** Security of these files until the test ends. */
function closing(security: WatchedSecurity): WatchedSecurity {
  onTestFinished(() => security.close());
  return security;
}

async function serve(security: ConnectionSecurity): Promise<InProcessServer> {
  const answers = datasetService({ getDataset: () => Promise.resolve(summary('luna')) });
  const server = await startInProcessServer(answers, { security });
  onTestFinished(() => server.stop());
  return server;
}

/** One call over a connection of its own. */
async function ask(address: string, options: ConnectOptions = {}) {
  const client = createClient(DatasetServiceClient, address, options);
  try {
    const call = { metadata: new Metadata(), timeoutMs: 60_000 };
    return await callUnary(client.getDataset.bind(client), { dataset: 'luna' }, call);
  } finally {
    client.close();
  }
}

const refusal = (address: string, security?: ConnectionSecurity, serverName?: string) =>
  failureOf(ask(address, { ...(security && { security }), ...(serverName && { serverName }) }));

describe('a server with a certificate', () => {
  it('answers clients that trust its authority, and no others', () =>
    withTemporaryFolder(async (folder) => {
      const files = await new TlsFolder(folder).write(authority);
      const { address } = await serve(closing(files.watch(['certificate', 'key'])));
      expect(await ask(address, { security: closing(files.watch(['authority'])) })).toEqual(summary('luna'));

      const others = await new TlsFolder(folder, 'other').write(otherAuthority);
      expect(await refusal(address, closing(others.watch(['authority'])))).toMatchObject({
        status: 'UNAVAILABLE',
        details: expect.stringMatching(/unable to verify|unable to get local issuer/) as string,
      });
      expect(await refusal(address)).toMatchObject({ status: 'UNAVAILABLE' });
    }));

  it('must have the name that the client asks for', () =>
    withTemporaryFolder(async (folder) => {
      const elsewhere = await authority.issue({ name: 'cache', hosts: ['cache.example'] });
      const files = await new TlsFolder(folder).write(authority, elsewhere);
      const { address } = await serve(closing(files.watch(['certificate', 'key'])));
      const client = closing(files.watch(['authority']));
      expect(await refusal(address, client)).toMatchObject({
        status: 'UNAVAILABLE',
        details: expect.stringContaining('altnames: Host: localhost') as string,
      });
      expect(await ask(address, { security: client, serverName: 'cache.example' })).toEqual(summary('luna'));
    }));

  it('is refused by clients when it has expired', () =>
    withTemporaryFolder(async (folder) => {
      const files = await new TlsFolder(folder).write(authority);
      const { certificatePem, keyPem } = await issueLocal(authority, expired());
      // Ours would not start with it, so another server shows it.
      const server = createSecureServer({ cert: certificatePem, key: keyPem });
      onTestFinished(() => void server.close());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect(await refusal(address, closing(files.watch(['authority'])))).toMatchObject({
        status: 'UNAVAILABLE',
        details: expect.stringContaining('certificate has expired') as string,
      });
    }));
});

describe('a server with certificate and authority', () => {
  const ALL = ['certificate', 'key', 'authority'] as const;

  it('answers clients with a certificate of its authority, and no others', () =>
    withTemporaryFolder(async (folder) => {
      const files = await new TlsFolder(folder).write(authority);
      const { address } = await serve(closing(files.watch(ALL)));
      expect(await ask(address, { security: closing(files.watch(ALL)) })).toEqual(summary('luna'));
      expect(await refusal(address, closing(files.watch(['authority'])))).toMatchObject({
        status: 'UNAVAILABLE',
      });
      const stranger = await new TlsFolder(folder, 'stranger').write(
        authority,
        await issueLocal(otherAuthority),
      );
      expect(await refusal(address, closing(stranger.watch(ALL)))).toMatchObject({ status: 'UNAVAILABLE' });
    }));

  it('sends nothing to a client whose certificate has expired', () =>
    withTemporaryFolder(async (folder) => {
      const files = await new TlsFolder(folder).write(authority);
      const { address } = await serve(closing(files.watch(ALL)));
      const firstEvent = async (certificate: IssuedCertificate) => {
        const socket = tlsConnect({
          host: '127.0.0.1',
          port: Number(address.split(':')[1]),
          servername: 'localhost',
          ca: authority.certificatePem,
          cert: certificate.certificatePem,
          key: certificate.keyPem,
          ALPNProtocols: ['h2'],
        });
        socket.on('error', () => undefined);
        const event = await Promise.race(
          ['data', 'close'].map((name) => once(socket, name).then(() => name)),
        );
        socket.destroy();
        return event;
      };
      expect(await firstEvent(await issueLocal(authority))).toBe('data');
      expect(await firstEvent(await issueLocal(authority, expired()))).toBe('close');
    }));
});

describe('TLS files that change', () => {
  it('serve new connections at once, while those that are open go on', () =>
    withTemporaryFolder(async (folder) => {
      const files = await new TlsFolder(folder).write(authority);
      const security = closing(files.watch(['certificate', 'key']));
      const server = await serve(security);
      const before = server.connect(DatasetServiceClient, { security: closing(files.watch(['authority'])) });
      const askBefore = () =>
        callUnary(
          before.getDataset.bind(before),
          { dataset: 'luna' },
          { metadata: new Metadata(), timeoutMs: 60_000 },
        );
      expect(await askBefore()).toEqual(summary('luna'));

      const others = await new TlsFolder(folder, 'other').write(otherAuthority);
      const trusting = closing(others.watch(['authority']));
      expect(await refusal(server.address, trusting)).toMatchObject({ status: 'UNAVAILABLE' });
      await files.write(otherAuthority);
      await security.logged(/TLS files changed/);
      expect(await ask(server.address, { security: trusting })).toEqual(summary('luna'));
      expect(await askBefore()).toEqual(summary('luna'));
    }));

  it('are trusted by the clients of a process that runs', () =>
    withTemporaryFolder(async (folder) => {
      const files = await new TlsFolder(folder).write(authority);
      const { address } = await serve(closing(files.watch(['certificate', 'key'])));
      const clientFiles = await new TlsFolder(folder, 'client').write(otherAuthority);
      const security = closing(clientFiles.watch(['authority']));
      expect(await refusal(address, security)).toMatchObject({ status: 'UNAVAILABLE' });
      await clientFiles.write(authority);
      await security.logged(/TLS files changed/);
      expect(await ask(address, { security })).toEqual(summary('luna'));
    }));

  it('stay in use when what replaces them is damaged or of another pair', () =>
    withTemporaryFolder(async (folder) => {
      const files = await new TlsFolder(folder).write(authority);
      const security = closing(files.watch(['certificate', 'key']));
      const { address } = await serve(security);
      const client = closing(files.watch(['authority']));
      await writeFile(files.files.certificate, 'half a certif');
      await security.logged(/it must be a PEM certificate; the last good files stay in use/);
      expect(await ask(address, { security: client })).toEqual(summary('luna'));

      await writeFile(files.files.certificate, (await issueLocal(authority)).certificatePem);
      await security.logged(/must be the private key of .*; the last good files stay in use/);
      expect(await ask(address, { security: client })).toEqual(summary('luna'));
    }));
});

describe('TLS files at the start', () => {
  const fault = async (
    change: (files: TlsFolder) => Promise<unknown>,
    parts: Parameters<TlsFolder['watch']>[0],
  ) =>
    withTemporaryFolder(async (folder) => {
      const files = await new TlsFolder(folder).write(authority);
      await change(files);
      try {
        closing(files.watch(parts));
      } catch (error) {
        return (error as Error).message.replaceAll(folder, '');
      }
      return 'none';
    });
  const nothing = () => Promise.resolve();
  const other = (): Promise<IssuedCertificate> => issueLocal(authority);

  it('are refused in one sentence that names the file', async () => {
    expect(await fault(nothing, ['certificate'])).toBe(
      'Cannot use TLS: certificate and key come together, got only /tls.crt',
    );
    expect(await fault((files) => writeFile(files.files.authority, ''), ['authority'])).toBe(
      'Cannot use the TLS authority /tls-ca.crt: it must be a PEM certificate',
    );
    expect(
      await fault(
        async (files) => files.write(authority, await issueLocal(authority, expired())),
        ['certificate', 'key'],
      ),
    ).toMatch(/^Cannot use the TLS certificate \/tls\.crt: it expired on \d{4}-/);
    expect(
      await fault(
        async (files) => writeFile(files.files.key, (await other()).keyPem),
        ['certificate', 'key'],
      ),
    ).toMatch(/^Cannot use TLS: \/tls\.key must be the private key of \/tls\.crt, got "/);
    expect(await fault((files) => writeFile(files.files.key, 'none'), ['certificate', 'key'])).toMatch(
      /^Cannot use TLS: \/tls\.key must be the private key/,
    );
    await withTemporaryFolder((folder) => {
      expect(() => new TlsFolder(folder).watch(['authority'])).toThrow(
        /^Cannot read the TLS authority .*ENOENT/,
      );
    });
  });
});
