import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import type { Batch, BatchResult } from '../engine.ts';
import { lunaParameters } from '../luna-model.ts';
import {
  DeviceEngine,
  type DeviceNetwork,
  type Logits,
  type NetworkGroup,
  type PreparedGroup,
  type SummedGradients,
} from './device-engine.ts';

const SHAPE = { depth: 16, height: 16, width: 16 };
const SIZE = 16 ** 3;

/** Takes part in no arithmetic: tells in which order it is asked, groups by their number of samples. */
class RecordingNetwork implements DeviceNetwork {
  readonly groupSize = 8;
  readonly events: string[] = [];
  /** What comes in while the device computes. */
  whileComputing: () => void = () => undefined;
  fault: Error | undefined;

  send({ count }: PreparedGroup): void {
    this.events.push(`send ${count}`);
  }
  drop(): void {
    return undefined;
  }
  infer({ count }: NetworkGroup): () => Logits[] {
    this.#compute(`infer ${count}`);
    return () => {
      this.events.push(`read ${count}`);
      return Array.from({ length: count }, (): Logits => [0, 0]);
    };
  }
  learn({ count }: NetworkGroup, lossGradient: (logits: Logits, sample: number) => unknown): void {
    this.#compute(`learn ${count}`);
    for (let sample = 0; sample < count; sample++) lossGradient([0, 0], sample);
  }
  takeGradients(): SummedGradients {
    this.events.push('take');
    const parameters = lunaParameters(SHAPE)
      .slice(2)
      .map(({ shape }) => new Float32Array(shape.reduce((product, side) => product * side, 1)));
    return { normalisation: { scale: 0, shift: 0 }, parameters };
  }
  dropGradients(): void {
    return undefined;
  }
  loadParameters(): void {
    return undefined;
  }
  inspect(): [] {
    return [];
  }
  dispose(): void {
    return undefined;
  }

  #compute(event: string): void {
    this.events.push(event);
    if (this.fault !== undefined) throw this.fault;
    this.whileComputing();
    this.whileComputing = () => undefined;
  }
}

function start() {
  const network = new RecordingNetwork();
  const settings = {
    engine: 'recording',
    chunkShape: SHAPE,
    learningRate: 0.001,
    momentum: 0.99,
    runSeed: 7,
  };
  const engine = new DeviceEngine(settings, {
    name: 'recording',
    device: 'none',
    memoryBytes: () => 0,
    makeNetwork: () => network,
    activate: () => undefined,
  });
  return { engine, network };
}

function batchOf(count: number): Batch {
  const voxelsHu = Float32Array.from({ length: count * SIZE }, (_, index) => index % 1000);
  return { voxelsHu, labels: new Uint8Array(count), count };
}

/** Makes each call as the other side of the engine's thread does, by a message: the second while the device computes the first. */
function callTwice(
  network: RecordingNetwork,
  calls: readonly [() => Promise<BatchResult>, () => Promise<BatchResult>],
): Promise<BatchResult[]> {
  const { port1, port2 } = new MessageChannel();
  const answers = calls.map(
    (call, index) =>
      new Promise<BatchResult>((resolve, reject) =>
        port2.on('message', (message) => {
          if (message === index) call().then(resolve, reject);
        }),
      ),
  );
  network.whileComputing = () => port1.postMessage(1);
  port1.postMessage(0);
  return Promise.all(answers).finally(() => port1.close());
}

describe('DeviceEngine', () => {
  it('sends the next batch up while the device goes back through the one before', async () => {
    const { engine, network } = start();
    await callTwice(network, [() => engine.trainBatch(batchOf(1)), () => engine.trainBatch(batchOf(2))]);
    expect(network.events).toEqual(['send 1', 'learn 1', 'send 2', 'take', 'learn 2', 'take']);
  });

  it('sends the next batch up while the device evaluates the one before', async () => {
    const { engine, network } = start();
    await callTwice(network, [
      () => engine.evaluateBatch(batchOf(1)),
      () => engine.evaluateBatch(batchOf(2)),
    ]);
    expect(network.events).toEqual(['send 1', 'infer 1', 'send 2', 'read 1', 'infer 2', 'read 2']);
  });

  it('normalises by running statistics only when the steps before have changed them', async () => {
    const { engine, network } = start();
    await Promise.all([engine.trainBatch(batchOf(1)), engine.evaluateBatch(batchOf(2))]);
    expect(network.events).toEqual(['send 1', 'learn 1', 'take', 'send 2', 'infer 2', 'read 2']);
    await Promise.all([engine.evaluateBatch(batchOf(3)), engine.evaluateBatch(batchOf(4))]);
    expect(network.events.slice(6, 8)).toEqual(['send 3', 'send 4']);
  });

  it('goes on after a batch that failed, once the batch before it has taken effect', async () => {
    const { engine, network } = start();
    network.fault = new Error('out of memory');
    const failing = engine.trainBatch(batchOf(1));
    await expect(failing).rejects.toThrow('out of memory');
    network.fault = undefined;
    expect((await engine.trainBatch(batchOf(2))).losses).toHaveLength(2);
    await expect(engine.trainBatch({ ...batchOf(1), count: 2 })).rejects.toThrow(/voxels/);
    expect(await engine.exportGradients()).not.toEqual([]);
  });
});
