import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { applyTransform, CHAPTER_AUGMENTATION, sampleTransform } from '@lunastream/augmentation';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TransformPool, type TransformPoolOptions } from './transform-pool.ts';
import type { TransformJob } from './transform-messages.ts';

const SHAPE = { depth: 2, height: 2, width: 2 };
const SOURCE_BYTES = 16;

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
     port.on('message', (call) => { const { id, source } = call; ${onCall} });`,
    { eval: true, execArgv: [] },
  );
const ANSWER_THREAD =
  'port.postMessage({ id, spent: [source.voxels], made: { voxels: new ArrayBuffer(4), borderFraction: threadId } });';

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

  it('takes buffers back and gives them out again where the size agrees', async () => {
    const pool = poolOf({ threads: 1, startThread: threadOf(ANSWER_THREAD) });
    await pool.make(jobOf(7));
    expect([...new Int16Array(pool.takeBuffer(SOURCE_BYTES))].slice(0, 2)).toEqual([7, 17]);
    expect([...new Int16Array(pool.takeBuffer(SOURCE_BYTES))]).toEqual(new Array(8).fill(0));
    expect(pool.takeBuffer(4).byteLength).toBe(4);
  });

  it('rejects with what the thread threw, and goes on', async () => {
    const pool = poolOf({
      threads: 1,
      startThread: threadOf(`
        if (source.key.ordinal === 1) port.postMessage({ id, spent: [], error: new RangeError('no') });
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
      const pool = poolOf({ threads: 2, startThread: () => new Worker(compiled, { execArgv: [] }) });
      const ordinals = [0, 1, 2, 3, 4, 5];
      const made = await Promise.all(ordinals.map((ordinal) => pool.make(jobOf(ordinal))));
      for (const ordinal of ordinals) {
        const { source } = jobOf(ordinal);
        const transform = sampleTransform(CHAPTER_AUGMENTATION, source.key);
        const expected = applyTransform(new Int16Array(source.voxels), SHAPE, transform);
        expect(new Float32Array(made[ordinal]!.voxels)).toEqual(expected);
      }
    },
  );
});
