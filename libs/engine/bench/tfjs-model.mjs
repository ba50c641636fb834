// How fast does LunaModel train as a tfjs model on a tfjs backend? Uses the built library. Median of rounds after the first.
//
//   node libs/engine/bench/tfjs-model.mjs [options]
//     --backend simd|cpu|wasm|tensorflow   tensorflow needs @tensorflow/tfjs-node or @tensorflow/tfjs-node-gpu
//     --batch 8  --chunk 32x48x48  --threads <cores>  --rounds 5  --json
//     --what layers|stock|fused|LIST       `layers` is a tf.layers model as people write it, without batch normalisation;
//                                          the others are operations: LIST of convolution, normalisation, loss, optimizer
//                                          takes those of @lunastream/engine/tfjs-backend, `fused` all, `stock` none
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import tfjs from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { BLOCK_CHANNELS, headInputSize } from '../dist/src/luna-model.js';
import * as fused from '../dist/src/simd-tfjs/index.js';
import { loadTensorflow } from '../dist/src/tfjs/load-tensorflow.js';

const PARTS = ['convolution', 'normalisation', 'loss', 'optimizer'];
const [LEARNING_RATE, MOMENTUM, EPSILON] = [0.001, 0.99, 1e-5];
const text = (value) => ({ type: 'string', default: value });
const { values: options } = parseArgs({
  options: {
    backend: text('simd'),
    batch: text('8'),
    chunk: text('32x48x48'),
    threads: text(String(availableParallelism())),
    rounds: text('5'),
    what: text('layers'),
    json: { type: 'boolean', default: false },
  },
});
const { backend: name, what } = options;
const [count, threads, rounds] = [options.batch, options.threads, options.rounds].map(Number);
const [depth, height, width] = options.chunk.split('x').map(Number);

/** Prints what was found, and ends. */
function tell(figures, sentence) {
  process.stdout.write(`${options.json ? JSON.stringify(figures) : sentence}\n`);
  process.exit();
}

let tf = tfjs;
if (name === 'tensorflow') {
  try {
    tf = (await loadTensorflow()).tf;
  } catch (error) {
    tell({ missing: error.message }, error.message);
  }
} else {
  tf.enableProdMode();
  if (name === 'simd') await fused.registerSimdBackend({ threads });
  await tf.setBackend(name);
}

function layersModel() {
  const model = tf.sequential();
  const convolution = { kernelSize: 3, padding: 'same', activation: 'relu' };
  for (const filters of BLOCK_CHANNELS) {
    const input = model.layers.length === 0 ? { inputShape: [depth, height, width, 1] } : {};
    model.add(tf.layers.conv3d({ ...convolution, ...input, filters }));
    model.add(tf.layers.conv3d({ ...convolution, filters }));
    model.add(tf.layers.maxPooling3d({ poolSize: 2, strides: 2, dataFormat: 'channelsLast' }));
  }
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 2, activation: 'softmax' }));
  model.compile({ optimizer: tf.train.momentum(LEARNING_RATE, MOMENTUM), loss: 'categoricalCrossentropy' });
  return (chunks, labels) => model.trainOnBatch(chunks, labels);
}

/** LunaModel whole, batch normalisation included, from operations; `parts` are fused. */
function operationsModel(parts) {
  const normal = (shape, fanOut) =>
    tf.variable(tf.randomNormal(shape, 0, Math.sqrt(2 / fanOut), 'float32', 1));
  const convolutions = BLOCK_CHANNELS.flatMap((outputs, block) =>
    [block === 0 ? 1 : BLOCK_CHANNELS[block - 1], outputs].map((inputs) => ({
      filter: normal([3, 3, 3, inputs, outputs], 27 * outputs),
      bias: tf.variable(tf.zeros([outputs])),
    })),
  );
  const [scale, shift] = [tf.variable(tf.ones([1])), tf.variable(tf.zeros([1]))];
  const features = headInputSize({ depth, height, width });
  const head = { weights: normal([features, 2], features), bias: tf.variable(tf.zeros([2])) };
  const optimizer = parts.includes('optimizer')
    ? new fused.MomentumOptimizer(LEARNING_RATE, MOMENTUM)
    : tf.train.momentum(LEARNING_RATE, MOMENTUM);
  const normalise = (x) => {
    if (parts.includes('normalisation'))
      return fused.normaliseBatch(x, { scale, shift, epsilon: EPSILON }).normalised;
    const { mean, variance } = tf.moments(x, [0, 1, 2, 3]);
    return tf.batchNorm(x, mean, variance, shift, scale, EPSILON);
  };
  const convolve = (x, { filter, bias }) =>
    parts.includes('convolution')
      ? fused.fusedConv3d({ x, filter, bias })
      : tf.relu(tf.add(tf.conv3d(x, filter, 1, 'same'), bias));
  const loss = (labels, logits) =>
    parts.includes('loss')
      ? tf.mean(fused.softmaxCrossEntropy(labels, logits))
      : tf.losses.softmaxCrossEntropy(labels, logits);
  return async (chunks, labels) => {
    const value = optimizer.minimize(() => {
      let x = normalise(chunks);
      for (const [index, convolution] of convolutions.entries()) {
        x = convolve(x, convolution);
        if (index % 2 === 1) x = tf.maxPool3d(x, 2, 2, 'valid');
      }
      return loss(labels, tf.add(tf.matMul(tf.reshape(x, [count, -1]), head.weights), head.bias));
    }, true);
    await value.data();
    value.dispose();
  };
}

const parts = { stock: [], fused: PARTS }[what] ?? what.split(',');
const unknown = parts.filter((part) => part !== 'layers' && !PARTS.includes(part));
if (unknown.length > 0) throw new Error(`Cannot fuse ${unknown}: known are ${PARTS.join(', ')}`);
const step = what === 'layers' ? layersModel() : operationsModel(parts);
const chunks = tf.randomNormal([count, depth, height, width, 1], 0, 1, 'float32', 1);
const labels = tf.tensor2d(
  Array.from({ length: count }, (_, sample) => (sample % 2 === 0 ? [1, 0] : [0, 1])),
);
const seconds = [];
/** Of all threads: less disturbed by other work on the machine than the time that passes. */
let coreMs = 0;
for (let round = 0; round <= rounds; round++) {
  const [start, cpuStart] = [performance.now(), process.cpuUsage()];
  await step(chunks, labels);
  if (round === 0) continue;
  seconds.push((performance.now() - start) / 1000);
  const { user, system } = process.cpuUsage(cpuStart);
  coreMs += (user + system) / 1000 / rounds / count;
}
const median = seconds.sort((a, b) => a - b)[rounds >> 1];
const figures = {
  version: tf.version_core,
  samples_per_second: count / median,
  core_ms_per_sample: coreMs,
  peak_rss_mb: process.resourceUsage().maxRSS / 1024,
};
tell(
  figures,
  `${name} ${what}: ${figures.samples_per_second.toFixed(2)} samples/s, ` +
    `${coreMs.toFixed(1)} core-ms a sample, ${figures.peak_rss_mb.toFixed(0)} MiB`,
);
