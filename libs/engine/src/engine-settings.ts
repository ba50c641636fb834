import { InvalidEngineSettingsError } from './errors.ts';
import { SMALLEST_CHUNK_SIDE, type ChunkShape } from './luna-model.ts';

/** What every engine is told. */
export interface EngineSettings {
  /** A name from `engineNames()`, or `auto` for the fastest that runs here. */
  readonly engine: string;
  /** Input size in voxels, each side at least 16. */
  readonly chunkShape: ChunkShape;
  /** Step size of SGD, above 0; chapter 12 uses 0.001. */
  readonly learningRate: number;
  /** Share of the velocity that a step keeps, 0 up to but not including 1; chapter 12 uses 0.99. */
  readonly momentum: number;
  /** Unsigned 32-bit seed of the initial weights. */
  readonly runSeed: number;
  /** Threads of the simd engine, 1 to 256; results do not depend on it. Default: the cores that are available. */
  readonly threads?: number;
  /** What the tfjs engine computes with. Default: `wasm`, or `cpu` where WebAssembly fails. */
  readonly backend?: 'wasm' | 'cpu';
}

const LARGEST_SEED = 0xffff_ffff;
const MOST_THREADS = 256;

/**
 * Checks settings that come from people or from the wire and returns them.
 * @throws InvalidEngineSettingsError with every fault, not only the first.
 */
export function compileEngineSettings(
  settings: EngineSettings,
  engineNames: readonly string[],
): EngineSettings {
  const { engine, chunkShape, learningRate, momentum, runSeed, threads, backend } = settings;
  const faults: string[] = [];
  if (engine !== 'auto' && !engineNames.includes(engine)) {
    faults.push(`engine must be one of auto, ${engineNames.join(', ')}, got ${engine}`);
  }
  for (const axis of ['depth', 'height', 'width'] as const) {
    const side = chunkShape[axis];
    if (!Number.isInteger(side) || side < SMALLEST_CHUNK_SIDE) {
      faults.push(
        `chunk ${axis} must be a whole number of at least ${SMALLEST_CHUNK_SIDE} voxels ` +
          `(the network halves it four times), got ${side}`,
      );
    }
  }
  if (!Number.isFinite(learningRate) || learningRate <= 0) {
    faults.push(`learning rate must be a finite number above 0, got ${learningRate}`);
  }
  if (!(momentum >= 0 && momentum < 1)) faults.push(`momentum must be in [0, 1), got ${momentum}`);
  if (!Number.isInteger(runSeed) || runSeed < 0 || runSeed > LARGEST_SEED) {
    faults.push(`run seed must be an integer in 0..${LARGEST_SEED}, got ${runSeed}`);
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    faults.push(`threads must be an integer in 1..${MOST_THREADS}, got ${threads}`);
  }
  if (backend !== undefined && backend !== 'wasm' && backend !== 'cpu') {
    faults.push(`backend must be wasm or cpu, got ${String(backend)}`);
  }
  if (faults.length > 0) throw new InvalidEngineSettingsError(faults);
  return settings;
}
