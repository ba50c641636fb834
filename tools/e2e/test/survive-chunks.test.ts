import { spawnSync } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Candidate } from '@lunastream/contracts';
import { afterAll, describe, expect, it } from 'vitest';
import { chunkStats, startChunkCache, streamChunksOf } from '../src/chunk-cache.ts';
import { checkHealth } from '../src/grpc-probe.ts';
import { lunastream } from '../src/lunastream.ts';
import { makeSmallDataset } from '../src/small-dataset.ts';
import { undisturbedChunks } from '../src/undisturbed-chunks.ts';

const SHAPE = { depth: 12, height: 20, width: 16 };
const KILLS = 50;
/** A disk of its own, in the memory of one process and gone with it, without room for a byte. */
const FULL_DISK = [
  ...['--user', '--map-root-user', '--mount', 'sh', '-c'],
  'mount -t tmpfs -o size=64k tmpfs "$0" && head -c 64k /dev/zero >"$0/fill" && exec "$@"',
];
const canMount = spawnSync('unshare', [...FULL_DISK, tmpdir(), 'true'], { stdio: 'ignore' }).status === 0;
const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

const { folder, data, candidates, right, folderOf, remove } = await undisturbedChunks(SHAPE);
afterAll(remove);

describe('a chunk cache survives', () => {
  it(`${KILLS} times kill -9 during writes: verify finds no bad chunk, and the next run reads right bytes`, async () => {
    const own = await folderOf('killed');
    // Chunks of another shape each time: there is always something to write when it dies.
    const shapes = Array.from({ length: KILLS }, (_, kill) => ({
      ...SHAPE,
      depth: 4 + (kill % 8),
      width: 8 + Math.floor(kill / 8),
    }));
    for (const [kill, shape] of shapes.entries()) {
      const cache = await startChunkCache(own, data);
      let answersLeft = 1 + (kill % 12);
      await streamChunksOf(cache.address, candidates, shape, () => --answersLeft > 0);
      await cache.kill();
    }
    const verified = await lunastream(own, 'cache', 'verify', '--state', 'state', '--json');
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    const { chunks } = JSON.parse(verified.stdout) as {
      chunks: { entryCount: number; corruptCount: number };
    };
    expect(chunks.corruptCount).toBe(0);
    // Something was written, or nothing was tried.
    expect(chunks.entryCount).toBeGreaterThan(0);
    const undisturbed = await startChunkCache(await folderOf('never-killed'), data);
    const cache = await startChunkCache(own, data);
    for (const shape of shapes) {
      const rightAnswers = await streamChunksOf(undisturbed.address, candidates, shape);
      expect(await streamChunksOf(cache.address, candidates, shape)).toEqual(rightAnswers);
    }
    const { tiers } = await chunkStats(cache.address);
    // Each chunk that outlived a kill was served from the store, and compared.
    expect(tiers.find(({ tier }) => tier === 'lmdb')!.hitCount).toBe(chunks.entryCount);
    expect(await streamChunksOf(cache.address, candidates, SHAPE)).toEqual(right);
    await undisturbed.stop();
    await cache.stop();
  }, 600_000);

  it.skipIf(!hasPrlimit)(
    'a full disk: serves from the source, says so once, counts it [needs prlimit]',
    async () => {
      const own = await folderOf('full');
      // Memory for one chunk: what the disk does not take must come from the scans each time.
      const variables = { CHUNK_CACHE_MEMORY_LIMIT: '8KiB' };
      const limit = ['prlimit', `--fsize=${128 * 1024}`];
      const cache = await startChunkCache(own, data, variables, limit);
      for (let round = 0; round < 3; round++) {
        expect(await streamChunksOf(cache.address, candidates, SHAPE)).toEqual(right);
      }
      const { tiers, ...counts } = await chunkStats(cache.address);
      expect(counts.failedChunkCount).toBe(0);
      expect(counts.cutChunkCount).toBeGreaterThan(2 * candidates.length);
      expect(tiers.find(({ tier }) => tier === 'lmdb')!.errorCount).toBeGreaterThan(0);
      // Degraded, not down: nobody takes it out of service.
      expect(await checkHealth(cache.address)).toBe('SERVING');
      const { code, stdout } = await cache.stop();
      expect(code).toBe(0);
      expect(stdout.match(/tier lmdb fails/g)).toHaveLength(1);
    },
    300_000,
  );

  it.skipIf(!canMount)(
    'a disk that is full when it starts: serves from the source, says so once, counts it [needs unshare]',
    async () => {
      const own = await folderOf('begun-full');
      const state = join(own, 'state');
      await mkdir(state);
      const variables = { CHUNK_CACHE_MEMORY_LIMIT: '8KiB' };
      const cache = await startChunkCache(own, data, variables, ['unshare', ...FULL_DISK, state]);
      for (let round = 0; round < 2; round++) {
        expect(await streamChunksOf(cache.address, candidates, SHAPE)).toEqual(right);
      }
      const { tiers, failedChunkCount } = await chunkStats(cache.address);
      expect(failedChunkCount).toBe(0);
      expect(tiers.find(({ tier }) => tier === 'lmdb')).toMatchObject({ entryCount: 0 });
      expect(tiers.find(({ tier }) => tier === 'lmdb')!.errorCount).toBeGreaterThan(0);
      expect(await checkHealth(cache.address)).toBe('SERVING');
      const { code, stdout, stderr } = await cache.stop();
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout.match(/tier lmdb fails/g)).toHaveLength(1);
    },
    300_000,
  );

  it('64 clients that ask for one cold chunk: it is cut once', async () => {
    const cache = await startChunkCache(await folderOf('crowd'), data);
    const asked = Array.from({ length: 64 }, () =>
      streamChunksOf(cache.address, candidates.slice(0, 1), SHAPE),
    );
    for (const answers of await Promise.all(asked)) expect(answers).toEqual(right.slice(0, 1));
    expect(await chunkStats(cache.address)).toMatchObject({ cutChunkCount: 1, failedChunkCount: 0 });
    await cache.stop();
  }, 300_000);

  it('a scan whose voxels are replaced under it: no chunk of what it was is served', async () => {
    const replaced = await makeSmallDataset(join(folder, 'replaced-data'));
    const cache = await startChunkCache(await folderOf('replaced'), replaced, {
      CHUNK_CACHE_SOURCE_CHECK_MS: '0',
    });
    expect(await streamChunksOf(cache.address, candidates, SHAPE)).toEqual(right);
    const [{ seriesUid }] = candidates as [Candidate];
    const other = candidates.find((candidate) => candidate.seriesUid !== seriesUid)!.seriesUid;
    const rawOf = (uid: string) => join(replaced, 'subset0', `${uid}.raw`);
    await copyFile(rawOf(other), rawOf(seriesUid));
    const answers = await streamChunksOf(cache.address, candidates, SHAPE);
    for (const [index, answer] of answers.entries()) {
      expect(answer.result?.$case).toBe('chunk');
      if (candidates[index]!.seriesUid === seriesUid) expect(answer).not.toEqual(right[index]);
      else expect(answer).toEqual(right[index]);
    }
    await cache.stop();
  }, 300_000);
});

describe('lunastream cache', () => {
  it('warms what a chunk cache then serves without a cut, and shows its counters', async () => {
    const own = await folderOf('warmed');
    const warmed = await lunastream(
      own,
      'cache',
      'warm',
      '--data',
      data,
      '--chunk',
      '12x20x16',
      '--state',
      'state',
    );
    expect(warmed).toMatchObject({ code: 0, stderr: '' });
    const cache = await startChunkCache(own, data);
    expect(await streamChunksOf(cache.address, candidates, SHAPE)).toEqual(right);
    const shown = await lunastream(own, 'cache', 'stats', '--address', cache.address, '--json');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(shown.stdout)).toMatchObject({ cutChunkCount: 0, failedChunkCount: 0 });
    await cache.stop();
  }, 300_000);
});
