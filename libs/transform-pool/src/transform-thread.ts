import { parentPort } from 'node:worker_threads';
import { Augmenter } from '@lunastream/augmentation';
import { makeSample } from './make-sample.ts';
import type { TransformAnswer, TransformCall } from './transform-messages.ts';

// A thread that transforms samples. The service's own thread only moves bytes, so it always answers.

const port = parentPort;
if (port === null) throw new Error('internal: transform-thread must be started as a worker thread');

const augmenter = new Augmenter();

function answer({ id, job, layout, buffer }: TransformCall): TransformAnswer {
  try {
    return { id, made: makeSample(augmenter, job, layout, buffer) };
  } catch (error) {
    return { id, error };
  }
}

port.on('message', (call: TransformCall) => {
  const reply = answer(call);
  port.postMessage(reply, 'made' in reply ? [reply.made.buffer] : []);
});
