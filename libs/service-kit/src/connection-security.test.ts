import { withTemporaryFolder } from '@lunastream/testing';
import { DatasetServiceClient } from '@lunastream/contracts';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeAuthority, TlsFolder } from '../test/tls-files.ts';
import { compileConfig, maskedConfig, type Environment } from './config.ts';
import { ConnectionSecurity, InsecureConnectionError, isSecurityFault } from './connection-security.ts';
import { createClient } from './grpc-client.ts';
import { GrpcServer } from './grpc-server.ts';
import { hostOf, isLoopback } from './peer-address.ts';
import { securitySettings } from './security-settings.ts';
import { StreamRegistry } from './stream-registry.ts';

const TOKEN = 'a-token-of-sixteen-or-more';

function open(environment: Environment = {}): ConnectionSecurity {
  const security = ConnectionSecurity.open(compileConfig(securitySettings, environment));
  onTestFinished(() => security.close());
  return security;
}

describe('isLoopback()', () => {
  it.each(['127.0.0.1:1', '127.8.9.1:1', 'localhost:1', '[::1]:1', 'dns:///localhost:1'])(
    'is true of %s',
    (address) => expect(isLoopback(address)).toBe(true),
  );
  it.each([
    '0.0.0.0:1',
    '[::]:1',
    '10.0.0.1:1',
    '[fe80::1]:1',
    'cache:1',
    'localhost.example:1',
    '127.0.0.1.nip.io:1',
  ])('is false of %s', (address) => expect(isLoopback(address)).toBe(false));
  it('looks at the host of any target', () => {
    expect(['a:1', '[::1]:1', 'dns:///cache.ns:1', 'dns://9.9.9.9/cache:1'].map(hostOf)).toEqual([
      'a',
      '::1',
      'cache.ns',
      'cache',
    ]);
  });
});

describe('connections without TLS', () => {
  it('stay on this machine', () => {
    const connect = (address: string, security = open()) =>
      createClient(DatasetServiceClient, address, { security }).close();
    expect(() => connect('cache:50051')).toThrow(InsecureConnectionError);
    expect(() => connect('cache:50051')).toThrow(
      /^Cannot connect to cache:50051: connections that leave this machine need TLS; set LUNASTREAM_TLS_CERT/,
    );
    connect('127.0.0.1:50051');
    connect('cache:50051', open({ LUNASTREAM_INSECURE: 'true' }));
  });

  it('are not listened for beyond this machine', async () => {
    const server = new GrpcServer([], new StreamRegistry());
    await expect(server.listen('0.0.0.0:0')).rejects.toThrow(
      /^Cannot listen on 0\.0\.0\.0:0: addresses beyond this machine need TLS; set LUNASTREAM_TLS_CERT/,
    );
    await server.drain({ drainDelayMs: 0, drainTimeoutMs: 0 });
    open({ LUNASTREAM_INSECURE: 'true' }).assertMayListen('0.0.0.0:0');
  });
});

describe('connections with TLS', () => {
  it('may leave this machine, and a service needs a certificate for them', () =>
    withTemporaryFolder(async (folder) => {
      const { files } = await new TlsFolder(folder).write(await makeAuthority());
      const authority = { LUNASTREAM_TLS_CA: files.authority };
      const identity = { LUNASTREAM_TLS_CERT: files.certificate, LUNASTREAM_TLS_KEY: files.key };
      createClient(DatasetServiceClient, 'cache:50051', { security: open(authority) }).close();
      open(identity).assertMayListen('0.0.0.0:0');
      expect(() => open(authority).assertMayListen('127.0.0.1:0')).toThrow(
        'Cannot listen on 127.0.0.1:0: a service with TLS needs a certificate, got only LUNASTREAM_TLS_CA',
      );
    }));
});

describe('services with protected calls', () => {
  it('keep strangers out by a token or by certificates, beyond this machine', () =>
    withTemporaryFolder(async (folder) => {
      const { files } = await new TlsFolder(folder).write(await makeAuthority());
      const identity = { LUNASTREAM_TLS_CERT: files.certificate, LUNASTREAM_TLS_KEY: files.key };
      const check = (environment: Environment, address = '0.0.0.0:0') =>
        open(environment).assertKeepsStrangersOut(address);
      expect(() => check(identity)).toThrow(
        /^Cannot listen on 0\.0\.0\.0:0: whoever reaches it could start and stop runs; set LUNASTREAM_TOKEN_FILE/,
      );
      check(identity, '127.0.0.1:0');
      check({ ...identity, LUNASTREAM_TOKEN: TOKEN });
      check({ ...identity, LUNASTREAM_TLS_CA: files.authority });
      check({ ...identity, LUNASTREAM_INSECURE: 'true' });
    }));
});

describe('the token', () => {
  it('is masked wherever the configuration is shown', () => {
    expect(maskedConfig(securitySettings, { LUNASTREAM_TOKEN: TOKEN })).toMatchObject({
      LUNASTREAM_TOKEN: '(masked)',
    });
    expect(() => open({ LUNASTREAM_TOKEN: 'too short' })).toThrow(
      /LUNASTREAM_TOKEN=\(masked\): .*16\.\.4096 visible ASCII characters/,
    );
  });

  it('is required of callers when there is one', () => {
    const asked = open({ LUNASTREAM_TOKEN: TOKEN }).authorize;
    asked(open({ LUNASTREAM_TOKEN: TOKEN }).tokenMetadata());
    expect(() => asked(open().tokenMetadata())).toThrow(
      'Cannot start or stop runs: the call must carry the token, got none',
    );
    expect(() => asked(open({ LUNASTREAM_TOKEN: `${TOKEN}!` }).tokenMetadata())).toThrow(
      'Cannot start or stop runs: the call must carry the token, got another',
    );
    open().authorize(open().tokenMetadata());
  });

  it('is read anew from its file for every call', () =>
    withTemporaryFolder(async (folder) => {
      const file = join(folder, 'token');
      await writeFile(file, `${TOKEN}\n`);
      const security = open({ LUNASTREAM_TOKEN_FILE: file });
      const first = security.tokenMetadata();
      security.authorize(first);
      await writeFile(file, `${TOKEN}-renewed`);
      expect(() => security.authorize(first)).toThrow('got another');
      security.authorize(security.tokenMetadata());
    }));

  it('is refused in one sentence that never shows it', () =>
    withTemporaryFolder(async (folder) => {
      const file = join(folder, 'token');
      const faultOf = (environment: Environment) => {
        try {
          open(environment);
          return 'none';
        } catch (error) {
          return isSecurityFault(error) ? error.message.replaceAll(folder, '') : 'unknown';
        }
      };
      expect(faultOf({ LUNASTREAM_TOKEN_FILE: file })).toMatch(/^Cannot read the token file \/token: ENOENT/);
      await writeFile(file, 'short secret');
      expect(faultOf({ LUNASTREAM_TOKEN_FILE: file })).toBe(
        'Cannot use the token file /token: its text must be 16..4096 visible ASCII characters',
      );
      expect(faultOf({ LUNASTREAM_TOKEN_FILE: file, LUNASTREAM_TOKEN: TOKEN })).toBe(
        'Cannot choose a token: LUNASTREAM_TOKEN or LUNASTREAM_TOKEN_FILE must be set, got both',
      );
    }));
});
