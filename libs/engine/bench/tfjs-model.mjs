// How fast does a tf.layers model of LunaModel's convolutions train on a tfjs backend? Uses the built library:
// `node libs/engine/bench/tfjs-model.mjs [simd|cpu] [batch] [threads]`. Median of rounds after the first.
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import tf from '@tensorflow/tfjs';
import { BLOCK_CHANNELS } from '../dist/src/luna-model.js';
import { registerSimdBackend } from '../dist/src/simd-tfjs/index.js';

const ROUNDS = 5;
const [name = 'simd', batch = '8', threads = String(availableParallelism())] = process.argv.slice(2);
const count = Number(batch);

tf.enableProdMode();
await registerSimdBackend({ threads: Number(threads) });
await tf.setBackend(name);

const model = tf.sequential();
const convolution = { kernelSize: 3, padding: 'same', activation: 'relu' };
for (const filters of BLOCK_CHANNELS) {
  const input = model.layers.length === 0 ? { inputShape: [32, 48, 48, 1] } : {};
  model.add(tf.layers.conv3d({ ...convolution, ...input, filters }));
  model.add(tf.layers.conv3d({ ...convolution, filters }));
  model.add(tf.layers.maxPooling3d({ poolSize: 2, strides: 2, dataFormat: 'channelsLast' }));
}
model.add(tf.layers.flatten());
model.add(tf.layers.dense({ units: 2, activation: 'softmax' }));
model.compile({ optimizer: tf.train.momentum(0.001, 0.99), loss: 'categoricalCrossentropy' });

const chunks = tf.randomNormal([count, 32, 48, 48, 1], 0, 1, 'float32', 1);
const labels = tf.oneHot(
  Array.from({ length: count }, (_, sample) => sample % 2),
  2,
);
const seconds = [];
for (let round = 0; round <= ROUNDS; round++) {
  const start = performance.now();
  await model.trainOnBatch(chunks, labels);
  if (round > 0) seconds.push((performance.now() - start) / 1000);
}
const median = seconds.sort((a, b) => a - b)[ROUNDS >> 1];
console.log(`${name}: ${(count / median).toFixed(2)} samples/s`);
tf.removeBackend('simd');
