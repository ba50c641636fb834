import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import {
  BorderRule,
  ChunkServiceClient,
  type Candidate,
  type StreamChunksRequest,
} from '@lunastream/contracts';
import { createClient } from '@lunastream/service-kit';
import { hasRedisServer, withRedisServer } from '@lunastream/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { chunkStats, startChunkCache, streamChunksOf } from '../src/chunk-cache.ts';
import { checkHealth } from '../src/grpc-probe.ts';
import { pollUntil } from '../src/poll-until.ts';
import { undisturbedChunks } from '../src/undisturbed-chunks.ts';

// What those around a chunk cache may do to it: the server that caches share goes and comes, clients do not read.

const SHAPE = { depth: 12, height: 20, width: 16 };
const MIB = 2 ** 20;

const { data, candidates, right, folderOf, remove } = await undisturbedChunks(SHAPE);
afterAll(remove);

/** A cache that shares chunks at `url` and keeps next to none in its memory. */
async function sharingCache(name: string, url: string) {
  const variables = { CHUNK_CACHE_SHARED_STORE: url, CHUNK_CACHE_MEMORY_LIMIT: '8KiB' };
  return startChunkCache(await folderOf(name), data, variables);
}

async function valkeyOf(address: string) {
  const { tiers, ...counts } = await chunkStats(address);
  return { ...counts, valkey: tiers.find(({ tier }) => tier === 'valkey')! };
}

/** A shape of its own for each round: nobody has cut such chunks before. */
const shapeOfRound = (round: number) => ({
  depth: 2 + (round % 38),
  height: 4 + Math.floor(round / 38),
  width: 6,
});

describe('a chunk cache and the server that caches share', () => {
  it.skipIf(!hasRedisServer)(
    'shares chunks, serves on while the server is away, and shares again when it is back [needs redis-server]',
    () =>
      withRedisServer(async (server) => {
        const [cache, other] = [
          await sharingCache('one', server.url),
          await sharingCache('other', server.url),
        ];
        let round = 0;
        /** Both ask for the same new chunks until the second gets some that the first has cut. */
        const shareChunks = async () => {
          const { valkey: before } = await valkeyOf(other.address);
          await pollUntil(async () => {
            const shape = shapeOfRound(round++);
            const cut = await streamChunksOf(cache.address, candidates, shape);
            expect(await streamChunksOf(other.address, candidates, shape)).toEqual(cut);
            return (await valkeyOf(other.address)).valkey.hitCount > before.hitCount;
          });
        };
        await shareChunks();
        await server.kill();
        expect(await streamChunksOf(cache.address, candidates, SHAPE)).toEqual(right);
        const { failedChunkCount, valkey } = await valkeyOf(cache.address);
        expect(failedChunkCount).toBe(0);
        expect(valkey.errorCount).toBeGreaterThan(0);
        await cache.output(/tier valkey fails/);
        // Degraded, not down: nobody takes it out of service.
        expect(await checkHealth(cache.address)).toBe('SERVING');
        await server.start();
        await shareChunks();
        let worksAgain = false;
        void cache.output(/tier valkey works again/).then(() => (worksAgain = true));
        await pollUntil(async () => {
          await streamChunksOf(cache.address, candidates, shapeOfRound(round++));
          return worksAgain;
        });
        for (const one of [cache, other]) expect((await one.stop()).code).toBe(0);
      }),
    300_000,
  );
});

describe('a chunk cache and clients that do not read', () => {
  it.skipIf(!existsSync('/proc/self/status'))(
    'holds little for them and serves the others, and lets go when they leave [needs /proc]',
    async () => {
      const cache = await startChunkCache(await folderOf('stalled'), data, {
        CHUNK_CACHE_MEMORY_LIMIT: '8MiB',
        CHUNK_CACHE_STORE_LIMIT: '32MiB',
        CHUNK_CACHE_AHEAD_LIMIT: '16MiB',
      });
      // 3 MiB each: what sixteen clients ask for and do not read is 1.4 GiB.
      const shape = { depth: 96, height: 128, width: 128 };
      const stalled = Array.from({ length: 16 }, () => createClient(ChunkServiceClient, cache.address));
      const calls = await Promise.all(
        stalled.map(async (client) => {
          const call = client
            .streamChunks(requestOf(candidates.slice(0, 30), shape))
            .on('error', () => undefined);
          // A grpc-js client that never begins to read takes everything into its own memory; this one stops.
          await new Promise((resolve) => call.once('data', resolve));
          return call.pause();
        }),
      );
      const others = { ...shape, depth: 95 };
      const read = await streamChunksOf(cache.address, candidates.slice(0, 20), others);
      expect(read.map(({ result }) => result?.$case)).toEqual(Array.from({ length: 20 }, () => 'chunk'));
      expect(await mostResidentBytes(cache.pid)).toBeLessThan(700 * MIB);
      for (const call of calls) call.cancel();
      for (const client of stalled) client.close();
      expect(await streamChunksOf(cache.address, candidates, SHAPE)).toEqual(right);
      expect((await cache.stop()).code).toBe(0);
    },
    300_000,
  );
});

function requestOf(
  references: readonly Candidate[],
  shape: StreamChunksRequest['shape'],
): StreamChunksRequest {
  return {
    dataset: 'default',
    datasetFingerprint: '',
    shape,
    grownShape: undefined,
    border: BorderRule.UNSPECIFIED,
    references: [...references],
  };
}

/** The most memory that a process ever had, as the kernel counts it. */
async function mostResidentBytes(pid: number): Promise<number> {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kibibytes) * 1024;
}
