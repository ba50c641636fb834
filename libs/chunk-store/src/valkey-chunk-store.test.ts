import { freePort, hasRedisServer, withRedisServer } from '@lunastream/testing';
import { createClient } from '@redis/client';
import { describe, expect, it, vi } from 'vitest';
import { TieredChunkStore } from './tiered-chunk-store.ts';
import { ValkeyChunkStore } from './valkey-chunk-store.ts';

const chunk = (value: number) => new Int16Array(100).fill(value);
/** For what happens by itself, on a machine of any speed. */
const PATIENCE = { timeout: 60_000, interval: 20 };

describe.skipIf(!hasRedisServer)('ValkeyChunkStore [needs redis-server]', () => {
  it('shares chunks between caches; a damaged one is not served, counted and dropped', () =>
    withRedisServer(async ({ url }) => {
      const [one, other] = [new ValkeyChunkStore({ url }), new ValkeyChunkStore({ url })];
      const raw = await createClient({ url }).connect();
      await vi.waitFor(() => one.put('a', chunk(-1000)), PATIENCE);
      await vi.waitFor(async () => expect(await other.get('a')).toEqual(chunk(-1000)), PATIENCE);
      expect(await other.has('a')).toBe(true);
      expect(await other.get('b')).toBeUndefined();
      await raw.setRange('lunastream:chunk:a', 50, 'x');
      expect(await other.get('a')).toBeUndefined();
      expect(await other.has('a')).toBe(false);
      expect(other.stats()).toMatchObject({ hitCount: 1, missCount: 2, corruptCount: 1 });
      raw.destroy();
      await Promise.all([one.close(), other.close()]);
    }));

  it('is passed over while its server is away, and used again once it is back', () =>
    withRedisServer(async (server) => {
      const said: string[] = [];
      const valkey = new ValkeyChunkStore({ url: server.url });
      const store = new TieredChunkStore([valkey], {
        onTierError: (tier) => said.push(`${tier} fails`),
        onTierRecovered: (tier) => said.push(`${tier} works`),
      });
      await vi.waitFor(() => valkey.put('ready', chunk(0)), PATIENCE);
      expect(await store.getOrCut('a', () => Promise.resolve(chunk(1)))).toEqual(chunk(1));
      await store.settled();
      await server.kill();
      for (const key of ['a', 'b', 'c']) {
        expect(await store.getOrCut(key, () => Promise.resolve(chunk(2)))).toEqual(chunk(2));
      }
      await store.settled();
      expect(said).toEqual(['valkey fails']);
      await server.start();
      await vi.waitFor(() => valkey.put('ready', chunk(0)), PATIENCE);
      for (const number of Array.from({ length: 32 }).keys()) {
        await store.getOrCut(`d${number}`, () => Promise.resolve(chunk(3)));
      }
      await store.settled();
      expect(said).toEqual(['valkey fails', 'valkey works']);
      expect(await valkey.get('d0')).toEqual(chunk(3));
      await store.close();
    }));
});

it('ValkeyChunkStore fails at once, and does not wait, where no server is', async () => {
  const store = new ValkeyChunkStore({ url: `redis://127.0.0.1:${await freePort()}` });
  await expect(store.get('a')).rejects.toThrow('Cannot reach the valkey tier');
  await store.close();
});
