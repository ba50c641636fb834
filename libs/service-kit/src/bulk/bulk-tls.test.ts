import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bulkClient, listed, listWith, pagesUpTo } from '../../test/bulk-calls.ts';
import { datasetService } from '../../test/dataset-service.ts';
import { issueLocal, makeAuthority, TlsFolder } from '../../test/tls-files.ts';
import { failureOf, startInProcessServer } from '../testing/index.ts';

describe('a BulkClient with TLS', () => {
  it('trusts its authority and no other, shows its own certificate, and takes new files into use', () =>
    withTemporaryFolder(async (folder) => {
      const [authority, otherAuthority] = [await makeAuthority(), await makeAuthority('another')];
      const files = await new TlsFolder(folder).write(authority);
      const serverSecurity = files.watch(['certificate', 'key', 'authority']);
      onTestFinished(() => serverSecurity.close());
      const answers = datasetService(listed(() => pagesUpTo(3, 300_000)));
      const server = await startInProcessServer(answers, { security: serverSecurity });
      onTestFinished(() => server.stop());

      const all = files.watch(['certificate', 'key', 'authority']);
      onTestFinished(() => all.close());
      expect(await listWith(bulkClient(server.address, { security: all })).whole).toEqual([1, 2, 3]);

      const bare = files.watch(['authority']);
      onTestFinished(() => bare.close());
      expect(await failureOf(listWith(bulkClient(server.address, { security: bare })).whole)).toMatchObject({
        status: 'UNAVAILABLE',
      });

      const otherFiles = await new TlsFolder(folder, 'other').write(
        otherAuthority,
        await issueLocal(authority),
      );
      const mistrusting = otherFiles.watch(['certificate', 'key', 'authority']);
      onTestFinished(() => mistrusting.close());
      const client = bulkClient(server.address, { security: mistrusting });
      expect(await failureOf(listWith(client).whole)).toMatchObject({
        status: 'UNAVAILABLE',
        details: expect.stringMatching(/unable to verify|unable to get local issuer|self-signed/) as string,
      });
      await otherFiles.write(authority);
      await mistrusting.logged(/TLS files changed/);
      expect(await listWith(client).whole).toEqual([1, 2, 3]);
    }));

  it('wants the name that it asks for', () =>
    withTemporaryFolder(async (folder) => {
      const authority = await makeAuthority();
      const elsewhere = await authority.issue({ name: 'cache', hosts: ['cache.example'] });
      const files = await new TlsFolder(folder).write(authority, elsewhere);
      const [serverSecurity, security] = [files.watch(['certificate', 'key']), files.watch(['authority'])];
      onTestFinished(() => [serverSecurity, security].forEach((watched) => watched.close()));
      const server = await startInProcessServer(datasetService(listed(() => pagesUpTo(1))), {
        security: serverSecurity,
      });
      onTestFinished(() => server.stop());
      expect(await failureOf(listWith(bulkClient(server.address, { security })).whole)).toMatchObject({
        status: 'UNAVAILABLE',
        details: expect.stringContaining('altnames: Host: localhost') as string,
      });
      const named = bulkClient(server.address, { security, serverName: 'cache.example' });
      expect(await listWith(named).whole).toEqual([1]);
    }));
});
