import { parentPort } from 'node:worker_threads';
import { Augmenter } from '@lunastream/augmentation';
import { makeSample } from './make-sample.ts';
import type { TransformAnswer, TransformCall } from './transform-messages.ts';

// A thread that transforms samples. The service's own thread only moves bytes, so it always answers.

const port = parentPort;
if (port === null) throw new Error('internal: transform-thread must be started as a worker thread');

const augmenter = new Augmenter();

function answer(call: TransformCall): TransformAnswer {
  const { id, source, partner } = call;
  const spent = partner === undefined ? [source.voxels] : [source.voxels, partner.voxels];
  try {
    return { id, spent, made: makeSample(augmenter, call) };
  } catch (error) {
    return { id, spent, error };
  }
}

port.on('message', (call: TransformCall) => {
  const reply = answer(call);
  port.postMessage(reply, 'made' in reply ? [...reply.spent, reply.made.voxels] : [...reply.spent]);
});
