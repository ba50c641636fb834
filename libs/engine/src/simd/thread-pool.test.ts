import { afterEach, describe, expect, it } from 'vitest';
import { callKernel } from './kernel-calls.ts';
import { SharedMemory } from './shared-memory.ts';
import { ThreadPool } from './thread-pool.ts';

const pools: ThreadPool[] = [];
async function start(threads: number): Promise<ThreadPool> {
  const pool = await ThreadPool.start(new SharedMemory(), threads);
  pools.push(pool);
  return pool;
}
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.dispose())));

/** Squares `count` numbers, one task each four of them. */
function squares(pool: ThreadPool, count: number): Float32Array {
  const { memory } = pool;
  const from = memory.allocateCopy(Float32Array.from({ length: count }, (_, index) => index));
  const to = memory.allocateZeros(4 * count);
  const call = callKernel('unary', { operation: 2, from, to, length: count, taskLength: 4 });
  pool.runOnce([call], count / 4);
  return memory.floats(to, count).slice();
}

describe('ThreadPool', () => {
  it.each([1, 2, 5])('runs every task once on %i threads, job after job', async (threads) => {
    const pool = await start(threads);
    const expected = Float32Array.from({ length: 4000 }, (_, index) => index * index);
    for (let job = 0; job < 50; job++) expect(squares(pool, 4000)).toEqual(expected);
    expect(pool.threads).toBe(threads);
  });

  it('gives each thread its own program', async () => {
    const pool = await start(3);
    const { memory } = pool;
    const from = memory.allocateCopy(Float32Array.of(3, 4, 5, 6));
    const outputs = [0, 1, 2].map(() => memory.allocateZeros(16));
    pool.runOnce(
      (thread) => [
        callKernel('unary', { operation: 2, from, to: outputs[thread]!, length: 4, taskLength: 4 }),
        callKernel('unary', {
          operation: 0,
          from: outputs[thread]!,
          to: outputs[thread]!,
          length: 4,
          taskLength: 4,
        }),
      ],
      1,
    );
    expect([...memory.floats(outputs[0]!, 4)]).toEqual([9, 16, 25, 36]);
    expect([...memory.floats(outputs[1]!, 4)]).toEqual([0, 0, 0, 0]);
  });

  it.each([1, 3])('reports a kernel that fails on %i threads, instead of waiting for it', async (threads) => {
    const pool = await start(threads);
    const call = callKernel('unary', { operation: 0, from: 0xffff_fff0, to: 0, length: 400, taskLength: 4 });
    expect(() => pool.runOnce([call], 100)).toThrow(/^internal: a kernel failed/);
    expect(() => squares(pool, 4)).toThrow('internal: the thread pool is closed');
  });

  it('ends its threads when it is disposed, once', async () => {
    const pool = await start(3);
    squares(pool, 400);
    await Promise.all([pool.dispose(), pool.dispose()]);
    expect(() => squares(pool, 400)).toThrow('internal: the thread pool is closed');
  });
});
