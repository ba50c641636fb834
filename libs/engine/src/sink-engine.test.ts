import { expect, it } from 'vitest';
import { createEngine } from './create-engine.ts';

it('the sink takes batches of any size by name, decides nothing and has no state', async () => {
  const { engine } = await createEngine({
    engine: 'sink',
    chunkShape: { depth: 16, height: 16, width: 16 },
    learningRate: 0.001,
    momentum: 0.99,
    runSeed: 1,
  });
  const batch = { voxelsHu: new Float32Array(2 * 16 ** 3), labels: Uint8Array.of(0, 1), count: 2 };
  for (const result of [await engine.trainBatch(batch), await engine.evaluateBatch(batch)]) {
    expect([...result.probabilities]).toEqual([0.5, 0.5]);
    expect([...result.losses]).toEqual([Math.fround(Math.LN2), Math.fround(Math.LN2)]);
  }
  await engine.importState(await engine.exportState());
  const tensor = { name: 'w', shape: [1], values: Float32Array.of(1) };
  await expect(engine.importState([tensor])).rejects.toThrow('Cannot load model tensor w');
});
