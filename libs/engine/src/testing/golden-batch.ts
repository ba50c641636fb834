/** For tests only. */
import type { Batch, Engine, ModelTensor } from '../engine.ts';
import { lunaParameters, type ChunkShape } from '../luna-model.ts';
import { goldenParameter } from './golden-parameter.ts';

export function batchOf(chunks: readonly Float32Array[], labels: readonly number[]): Batch {
  const size = chunks[0]!.length;
  const voxelsHu = new Float32Array(chunks.length * size);
  for (const [sample, chunk] of chunks.entries()) voxelsHu.set(chunk, sample * size);
  return { voxelsHu, labels: Uint8Array.from(labels), count: chunks.length };
}

/** The engine's model with the golden weights. */
export async function withGoldenParameters<Started extends Engine>(
  engine: Started,
  chunkShape: ChunkShape,
): Promise<Started> {
  const values = new Map(
    lunaParameters(chunkShape).map((spec, index) => [spec.name, goldenParameter(spec, index)]),
  );
  const fresh = await engine.exportState();
  await engine.importState(
    fresh.map((tensor): ModelTensor => ({ ...tensor, values: values.get(tensor.name) ?? tensor.values })),
  );
  return engine;
}
