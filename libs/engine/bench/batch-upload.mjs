// What the engine's thread does with each voxel of a batch before a device has it: nanoseconds a voxel, the fastest of rounds
// (other work on the machine only slows). Uses the built library; the conversions are what an upload of two bytes a voxel would take, and are only here.
//
//   node libs/engine/bench/batch-upload.mjs [--batch 32] [--rounds 25]
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { areFinite } from '../dist/src/assert-batch.js';
import { batchStatistics, normaliseVoxels } from '../dist/src/input-normalisation.js';

const { values: options } = parseArgs({
  options: { batch: { type: 'string', default: '32' }, rounds: { type: 'string', default: '25' } },
});
const length = Number(options.batch) * 32 * 48 * 48;
const voxelsHu = new Float32Array(new SharedArrayBuffer(4 * length)).map(
  (_, voxel) => ((voxel * 7919) % 1400) - 1000,
);
const bits = new Uint32Array(voxelsHu.buffer);
const passage = new Float32Array(length);
const shorts = new Int16Array(length);
const halves = new Uint16Array(length);

/** False at the first voxel that is no int16. */
function toInt16() {
  for (let voxel = 0; voxel < length; voxel++) {
    const hu = voxelsHu[voxel];
    shorts[voxel] = hu;
    if (shorts[voxel] !== hu) return false;
  }
  return true;
}

/** False at the first voxel that is no normal float16. */
function toFloat16() {
  for (let voxel = 0; voxel < length; voxel++) {
    const word = bits[voxel];
    const exponent = (word >>> 23) & 0xff;
    const isZero = (word & 0x7fff_ffff) === 0;
    if (!isZero && ((word & 0x1fff) !== 0 || exponent < 113 || exponent > 142)) return false;
    halves[voxel] =
      ((word >>> 16) & 0x8000) | (isZero ? 0 : ((exponent - 112) << 10) | ((word >>> 13) & 0x3ff));
  }
  return true;
}

const work = {
  'check that all are finite': () => areFinite(voxelsHu),
  'copy for the device': () => passage.set(voxelsHu),
  'convert to int16': toInt16,
  'convert to float16': toFloat16,
  'measure (on the device in the webgpu engine)': () => batchStatistics(voxelsHu),
  'normalise (on the device in the webgpu engine)': () =>
    normaliseVoxels(voxelsHu, { mean: -600, variance: 150_000 }),
};
for (const [name, run] of Object.entries(work)) {
  const times = Array.from({ length: Number(options.rounds) }, () => {
    const startMs = performance.now();
    run();
    return performance.now() - startMs;
  });
  process.stdout.write(`${name.padEnd(48)}${((1e6 * Math.min(...times)) / length).toFixed(2)}\n`);
}
