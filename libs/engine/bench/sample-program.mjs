// How long does each kernel call of one training sample take? Runs the built engine's program on one thread, call by
// call, with random weights and voxels: `node libs/engine/bench/sample-program.mjs [rounds]`. Medians.
import { performance } from 'node:perf_hooks';
import { initialiseLunaModel } from '../dist/src/initialise-luna-model.js';
import { BLOCK_CHANNELS, lunaParameters } from '../dist/src/luna-model.js';
import { Arena } from '../dist/src/simd/arena.js';
import { BATCH_RECORD_BYTES, writeBatchRecord } from '../dist/src/simd/batch-record.js';
import { KernelTables } from '../dist/src/simd/kernel-tables.js';
import { LunaParameters } from '../dist/src/simd/luna-parameters.js';
import { sampleProgram } from '../dist/src/simd/sample-program.js';
import { SharedMemory } from '../dist/src/simd/shared-memory.js';
import { ThreadPool } from '../dist/src/simd/thread-pool.js';

const rounds = Number(process.argv[2] ?? 30);
const chunkShape = { depth: 32, height: 48, width: 48 };
const voxelCount = 32 * 48 * 48;

const memory = new SharedMemory();
const pool = await ThreadPool.start(memory, 1);
const specs = lunaParameters(chunkShape);
const parameters = new LunaParameters(pool, specs, {
  optimizer: { optimizer: 'sgd', momentum: 0.99, weightDecay: 0 },
  fineTuneDepth: 6,
});
for (const [index, values] of initialiseLunaModel(specs, 1).entries()) parameters.values[index].set(values);
parameters.pack();

const addresses = {
  batch: memory.allocateZeros(BATCH_RECORD_BYTES),
  logits: memory.allocateZeros(64),
  zeros: memory.allocateZeros(4 * Math.max(...BLOCK_CHANNELS)),
};
const voxels = memory.allocate(4 * voxelCount);
let state = 1;
for (let voxel = 0; voxel < voxelCount; voxel++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  memory.floats(voxels, voxelCount)[voxel] = (state / 2 ** 32) * 2 - 1;
}
const [labels, losses, probabilities] = [64, 64, 64].map((bytes) => memory.allocateZeros(bytes));
writeBatchRecord(memory, addresses.batch, {
  ...{ mean: 0, inverseDeviation: 1.7, scale: 1, shift: 0, weight: 1, voxels, labels, losses, probabilities },
  ...{ positiveWeight: 1, focusing: 0 },
  gradients: memory.allocateZeros(parameters.layout.bytes),
  gradientBytes: parameters.layout.bytes,
});

const tables = new KernelTables(memory);
const plan = (arena) =>
  sampleProgram(
    { context: { arena, tables }, chunkShape, parameters, addresses, inputNormalisation: 'batch' },
    true,
  ).calls;
const measure = new Arena(0);
plan(measure);
const programs = plan(new Arena(memory.allocateZeros(measure.size))).map((call) => pool.load([call]));
const names = [
  ...['clear gradients', 'load sample'],
  ...[1, 2, 3, 4].flatMap((block) => [
    `block ${block} conv 1 forward`,
    `block ${block} conv 2 + pool forward`,
  ]),
  'head and loss',
  ...[4, 3, 2, 1].flatMap((block) => [
    `block ${block} conv 2 all gradients`,
    `block ${block} conv 1 kernel gradient`,
    ...(block > 1 ? [`block ${block} conv 1 input gradient`] : []),
  ]),
  ...['region sums', 'store gradients'],
];

const times = programs.map(() => []);
for (let round = 0; round < rounds; round++) {
  for (const [index, program] of programs.entries()) {
    const start = performance.now();
    pool.run(program, 1);
    times[index].push(performance.now() - start);
  }
}
const medians = times.map((each) => each.sort((a, b) => a - b)[rounds >> 1]);
for (const [index, name] of names.entries())
  console.log(`${name.padEnd(30)} ${medians[index].toFixed(3)} ms`);
console.log(`${'sum'.padEnd(30)} ${medians.reduce((sum, each) => sum + each, 0).toFixed(3)} ms`);
console.log(`one thread's arena: ${(measure.size / 2 ** 20).toFixed(1)} MiB`);
