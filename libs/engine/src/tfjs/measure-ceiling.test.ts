import tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LoadedTensorflow } from './load-tensorflow.ts';
import { measureProductCeiling } from './measure-ceiling.ts';

/** tfjs in TensorFlow's place. */
async function loadCpu(): Promise<LoadedTensorflow> {
  await tf.setBackend('cpu');
  return { tf, device: 'plain JavaScript', usesGpu: false, module: '@tensorflow/tfjs' };
}
const SMALL = { load: loadCpu, side: 32, leastMs: 1 };

describe('measureProductCeiling()', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('counts the operations of the products that it took time for', async () => {
    let products = 0;
    const matMul = tf.matMul;
    const counted = ((...factors: Parameters<typeof matMul>) => {
      products++;
      return matMul(...factors);
    }) as typeof matMul;
    const load = async () => ({ ...(await loadCpu()), tf: { ...tf, matMul: counted } });
    // A product takes a millisecond of this clock.
    vi.spyOn(performance, 'now').mockImplementation(() => products);
    const { teraflops } = await measureProductCeiling({ ...SMALL, load, leastMs: 8 });
    expect(teraflops).toBeCloseTo((2 * 32 ** 3) / 0.001 / 1e12, 12);
  });

  it('leaves no tensor behind', async () => {
    await loadCpu();
    const before = tf.memory().numTensors;
    expect((await measureProductCeiling(SMALL)).teraflops).toBeGreaterThan(0);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses a wrong result', async () => {
    const load = async () => ({
      ...(await loadCpu()),
      tf: { ...tf, matMul: (() => tf.zeros([32, 32])) as typeof tf.matMul },
    });
    await expect(measureProductCeiling({ ...SMALL, load })).rejects.toThrow(
      'internal: TensorFlow gives 0 as an element of a product where 32 is right',
    );
  });
});
