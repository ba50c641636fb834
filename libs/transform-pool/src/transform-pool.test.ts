import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  applyTransform,
  CHAPTER_AUGMENTATION,
  ChunkShapeError,
  NO_AUGMENTATION,
  sampleTransform,
  VoxelInspector,
} from '@lunastream/augmentation';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TransformPool, type TransformPoolOptions } from './transform-pool.ts';
import type { TransformJob } from './transform-messages.ts';

const SHAPE = { depth: 2, height: 2, width: 2 };
const SAMPLE_BYTES = 32;

function jobOf(ordinal: number): TransformJob {
  const source = {
    voxels: Int16Array.from({ length: 8 }, (_, voxel) => voxel * 10 + ordinal).buffer,
    key: { runSeed: 1, epoch: 1, ordinal },
  };
  return {
    sampleShape: SHAPE,
    sourceShape: SHAPE,
    augmentation: CHAPTER_AUGMENTATION,
    voxelType: 'float32',
    source,
  };
}

function poolOf(options: TransformPoolOptions): TransformPool {
  const pool = new TransformPool(options);
  onTestFinished(() => pool.close());
  return pool;
}

/** A thread of plain JavaScript that answers each call by `onCall`. */
const threadOf = (onCall: string) => () =>
  new Worker(
    `const { parentPort: port, threadId } = require('node:worker_threads');
     port.on('message', ({ id, job: { source }, layout, buffer }) => { ${onCall} });`,
    { eval: true, execArgv: [] },
  );
const ANSWER_THREAD =
  'port.postMessage({ id, made: { buffer: buffer ?? new ArrayBuffer(32), borderFraction: threadId } });';

describe('TransformPool', () => {
  it('has two jobs for each of its threads', () => {
    expect(poolOf({ threads: 3, startThread: threadOf('') }).capacity).toBe(6);
  });

  it('gives jobs to the least busy thread', async () => {
    const pool = poolOf({ threads: 2, startThread: threadOf(ANSWER_THREAD) });
    const made = await Promise.all([0, 1, 2, 3].map((ordinal) => pool.make(jobOf(ordinal))));
    const [first, second, third, fourth] = made.map(({ borderFraction }) => borderFraction);
    expect(second).not.toBe(first);
    expect([third, fourth]).toEqual([first, second]);
  });

  it('makes a sample to which nothing is done on the thread that asks, and everything else elsewhere', async () => {
    const pool = poolOf({ threads: 1, headroomBytes: 8, withChecksum: true, startThread: threadOf('') });
    const unchanged = { ...jobOf(3), augmentation: { ...NO_AUGMENTATION } };
    const given = new ArrayBuffer(SAMPLE_BYTES + 8);
    pool.giveBack(given);
    const { buffer, checksum, borderFraction } = await pool.make(unchanged);
    expect(buffer).toBe(given);
    expect([...new Float32Array(buffer, 8)]).toEqual([...new Int16Array(unchanged.source.voxels)]);
    expect(checksum).toBe(new VoxelInspector().inspect(new Uint8Array(buffer, 8), 'float32').checksum);
    expect(borderFraction).toBe(0);
    expect(pool.pendingCount).toBe(0);

    // The only thread never answers.
    const noisy = { ...unchanged, augmentation: { ...NO_AUGMENTATION, noiseHu: 1 } };
    const large = { depth: 128, height: 64, width: 64 };
    const voxels = new SharedArrayBuffer(128 * 64 * 64 * 2);
    const source = { ...unchanged.source, voxels };
    const elsewhere = [
      noisy,
      { ...unchanged, partner: unchanged.source },
      { ...unchanged, source, sampleShape: large, sourceShape: large },
    ];
    for (const job of elsewhere) void pool.make(job).catch(() => undefined);
    await Promise.resolve();
    expect(pool.pendingCount).toBe(elsewhere.length);
  });

  it('rejects for a sample that cannot be made at once', async () => {
    const pool = poolOf({ threads: 1, startThread: threadOf('') });
    const sourceShape = { ...SHAPE, width: 1 };
    const job = { ...jobOf(3), augmentation: NO_AUGMENTATION, sourceShape };
    await expect(pool.make(job)).rejects.toThrow(ChunkShapeError);
  });

  it('hands memory that was given back to the next sample of its size', async () => {
    const onCall =
      'port.postMessage({ id, made: { buffer: buffer ?? new ArrayBuffer(4), borderFraction: 0 } });';
    const pool = poolOf({ threads: 1, startThread: threadOf(onCall) });
    const sizeOfNext = async () => (await pool.make(jobOf(1))).buffer.byteLength;
    expect(await sizeOfNext()).toBe(4);
    pool.giveBack(new ArrayBuffer(SAMPLE_BYTES + 4));
    pool.giveBack(new ArrayBuffer(SAMPLE_BYTES));
    expect([await sizeOfNext(), await sizeOfNext()]).toEqual([SAMPLE_BYTES, 4]);
  });

  it('keeps the latest sixteen buffers of a thread', async () => {
    const onCall =
      'port.postMessage({ id, made: { buffer: buffer ?? new ArrayBuffer(4), borderFraction: 0 } });';
    const pool = poolOf({ threads: 1, startThread: threadOf(onCall) });
    pool.giveBack(new ArrayBuffer(SAMPLE_BYTES));
    for (let count = 0; count < 16; count++) pool.giveBack(new ArrayBuffer(1));
    expect((await pool.make(jobOf(1))).buffer.byteLength).toBe(4);
  });

  it('tells how many jobs are not done', async () => {
    const pool = poolOf({ threads: 2, startThread: threadOf(ANSWER_THREAD) });
    const made = [pool.make(jobOf(1)), pool.make(jobOf(2)), pool.make(jobOf(3))];
    expect([pool.threadCount, pool.pendingCount]).toEqual([2, 3]);
    await Promise.all(made);
    expect(pool.pendingCount).toBe(0);
  });

  it('rejects with what the thread threw, and goes on', async () => {
    const pool = poolOf({
      threads: 1,
      startThread: threadOf(`
        if (source.key.ordinal === 1) port.postMessage({ id, error: new RangeError('no') });
        else ${ANSWER_THREAD}`),
    });
    await expect(pool.make(jobOf(1))).rejects.toThrow(new RangeError('no'));
    await expect(pool.make(jobOf(2))).resolves.toBeDefined();
  });

  it('fails the jobs of a thread that crashed, and starts another for the next job', async () => {
    let starts = 0;
    const pool = poolOf({
      threads: 1,
      startThread: () => threadOf(++starts === 1 ? "throw new Error('out of memory')" : ANSWER_THREAD)(),
    });
    const failed = await Promise.allSettled([pool.make(jobOf(1)), pool.make(jobOf(2))]);
    for (const outcome of failed) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { message: 'internal: a transform thread ended', cause: { message: 'out of memory' } },
      });
    }
    await expect(pool.make(jobOf(3))).resolves.toBeDefined();
    expect(starts).toBe(2);
  });

  it('rejects jobs under way, and new ones, when it closes', async () => {
    const pool = poolOf({ threads: 1, startThread: threadOf('') });
    const underWay = pool.make(jobOf(1));
    const closed = pool.close();
    await expect(underWay).rejects.toThrow('internal: a transform thread ended');
    await closed;
    await expect(pool.make(jobOf(2))).rejects.toThrow('internal: the transform pool is closed');
  });

  const compiled = fileURLToPath(new URL('../dist/src/transform-thread.js', import.meta.url));
  it.skipIf(!existsSync(compiled))(
    'makes on its real threads what this thread makes [needs npm run setup]',
    async () => {
      const startThread = () => new Worker(compiled, { execArgv: [] });
      const pool = poolOf({ threads: 2, headroomBytes: 8, withChecksum: true, startThread });
      const ordinals = [0, 1, 2, 3, 4, 5];
      const made = await Promise.all(ordinals.map((ordinal) => pool.make(jobOf(ordinal))));
      for (const ordinal of ordinals) {
        const { source } = jobOf(ordinal);
        const transform = sampleTransform(CHAPTER_AUGMENTATION, source.key);
        const expected = applyTransform(new Int16Array(source.voxels), SHAPE, transform);
        const { buffer, checksum } = made[ordinal]!;
        expect(new Float32Array(buffer, 8)).toEqual(expected);
        expect(checksum).toBe(new VoxelInspector().inspect(new Uint8Array(buffer, 8), 'float32').checksum);
      }
    },
  );
});
