import type { Tensor } from '@tensorflow/tfjs';
import { RandomPurpose, RandomStream } from '@lunastream/random';
import { describe, expect, it } from 'vitest';
import {
  batchStatistics,
  INPUT_NORMALISATIONS,
  normaliseVoxels,
  updateRunningStatistics,
} from '../../input-normalisation.ts';
import { WEBGPU_FAULT } from '../../testing/webgpu.ts';
import { loadWebgpu, useWebgpu } from '../load-webgpu.ts';
import { WebgpuInput } from '../webgpu-input.ts';

/** Two segments and a bit. */
const SIZE = 9001;
const COUNT = 5;
const RUNNING = { mean: -580, variance: 150_000, batchesTracked: 3 };

/** Lung at -850 HU beside tissue and some metal, as chunks are: a sum of squares around zero would lose digits. */
function chunks(): Float32Array {
  const random = new RandomStream({ runSeed: 5, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  // In shared memory, as a trainer's batches are: Dawn itself does not survive it.
  const voxelsHu = new Float32Array(new SharedArrayBuffer(COUNT * SIZE * Float32Array.BYTES_PER_ELEMENT));
  for (let index = 0; index < voxelsHu.length; index++) {
    const tissue = index % SIZE < 6000 ? -850 : 40;
    voxelsHu[index] = tissue + 30 * random.gaussian() + (index % 997 === 0 ? 3000 : 0);
  }
  return voxelsHu;
}

async function valuesOf(tensor: Tensor, { assertSound }: Awaited<ReturnType<typeof loadWebgpu>>) {
  const values = await tensor.data<'float32'>();
  assertSound();
  return values;
}

const title = WEBGPU_FAULT === undefined ? 'WebgpuInput' : `WebgpuInput [skipped: ${WEBGPU_FAULT}]`;

describe.skipIf(WEBGPU_FAULT !== undefined)(title, () => {
  const voxelsHu = chunks();
  const batch = { voxelsHu, labels: new Uint8Array(COUNT), count: COUNT };
  const expected = batchStatistics(voxelsHu);

  it.each([1, 2, 5])('measures a batch in groups of %i as float64 does', async (groupSamples) => {
    const loaded = await loadWebgpu();
    useWebgpu();
    const input = new WebgpuInput(loaded.backend, { normalisation: 'batch', groupSamples, running: RUNNING });
    const groups = input.send(batch);
    expect(groups).toHaveLength(Math.ceil(COUNT / groupSamples));
    input.measure(groups);
    const running = await input.readRunning();
    const wanted = updateRunningStatistics(RUNNING, expected, voxelsHu.length);
    expect(running.batchesTracked).toBe(4);
    expect(Math.abs(running.mean / wanted.mean - 1)).toBeLessThan(3e-7);
    expect(Math.abs(running.variance / wanted.variance - 1)).toBeLessThan(3e-7);
    const first = groups[0]!;
    const normalised = await valuesOf(input.normalise(first, { isOfBatch: true }), loaded);
    const reference = normaliseVoxels(voxelsHu.subarray(0, first.samples * SIZE), expected);
    const worst = normalised.reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i]!)), 0);
    expect(normalised.length).toBe(reference.length);
    expect(worst).toBeLessThan(2e-6);
    input.dispose();
  });

  it.each(INPUT_NORMALISATIONS)('normalises by %s with the running statistics', async (normalisation) => {
    const loaded = await loadWebgpu();
    useWebgpu();
    const input = new WebgpuInput(loaded.backend, { normalisation, groupSamples: COUNT, running: RUNNING });
    const [group] = input.send(batch);
    const normalised = await valuesOf(input.normalise(group!, { isOfBatch: false }), loaded);
    const reference = normaliseVoxels(voxelsHu, RUNNING, normalisation);
    const worst = normalised.reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i]!)), 0);
    // A square root of next to nothing makes much of a rounding.
    expect(worst).toBeLessThan(normalisation === 'signed-sqrt' ? 1e-3 : 2e-6);
    input.dispose();
  });

  it('sends batches into two sets of buffers in turn, and uses them again', async () => {
    const { backend } = await loadWebgpu();
    useWebgpu();
    const input = new WebgpuInput(backend, { normalisation: 'batch', groupSamples: 3, running: RUNNING });
    const buffersOf = () =>
      input.send(batch).map(({ voxels }) => backend.tensorMap.get(voxels.dataId).resource as GPUBuffer);
    const [first, second, third, fourth] = [buffersOf(), buffersOf(), buffersOf(), buffersOf()];
    expect(new Set([...first, ...second]).size).toBe(4);
    for (const [index, buffer] of first.entries()) expect(third[index]).toBe(buffer);
    for (const [index, buffer] of second.entries()) expect(fourth[index]).toBe(buffer);
    input.dispose();
  });
});
