import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { credentials, makeGenericClientConstructor, type Client } from '@grpc/grpc-js';
import { createEngine, type Batch, type EngineSettings } from '@lunastream/engine';
import { startInProcessServer } from '@lunastream/service-kit/testing';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { service as healthService } from 'grpc-health-check';
import type { EngineStarted } from './engine-messages.ts';
import { EngineStartError, EngineThreadError } from '../errors.ts';
import { ThreadedEngine } from './threaded-engine.ts';

const SETTINGS: EngineSettings = {
  engine: 'tfjs',
  chunkShape: { depth: 16, height: 16, width: 16 },
  learningRate: 0.001,
  momentum: 0.99,
  runSeed: 7,
};
const STARTED: EngineStarted = { name: 'fake', device: 'a test', parameterCount: 3, reason: 'asked for' };
const SAMPLE_LENGTH = 16 ** 3;

type HealthClient = Client & {
  check(request: { service: string }, callback: (error: Error | null) => void): void;
};
const Health = makeGenericClientConstructor(healthService, 'Health') as unknown as new (
  address: string,
  channelCredentials: ReturnType<typeof credentials.createInsecure>,
) => HealthClient;

/** Two samples in shared memory. */
function batchOf(seed: number): Batch {
  const voxelsHu = new Float32Array(new SharedArrayBuffer(2 * SAMPLE_LENGTH * 4));
  voxelsHu.forEach((_, index) => (voxelsHu[index] = ((index * 7919 + seed * 104_729) % 2000) - 1000));
  return { voxelsHu, labels: Uint8Array.of(1, 0), count: 2 };
}

const engines: ThreadedEngine[] = [];
async function start(startThread: (settings: EngineSettings) => Worker): Promise<ThreadedEngine> {
  const engine = await ThreadedEngine.start(SETTINGS, startThread);
  engines.push(engine);
  return engine;
}
afterEach(() => {
  for (const engine of engines.splice(0)) engine.dispose();
});

/** A thread of plain JavaScript that says `started` and answers each call by `onCall`. */
const threadOf =
  (onCall: string, started: EngineStarted = STARTED) =>
  () =>
    new Worker(
      `const { parentPort: port, workerData } = require('node:worker_threads');
     port.postMessage(${JSON.stringify(started)});
     port.on('message', ({ id, method, parameters: [argument] }) => { ${onCall} });`,
      { eval: true, execArgv: [], workerData: SETTINGS },
    );

describe('ThreadedEngine.start()', () => {
  it('tells what the thread made', async () => {
    expect(await start(threadOf(''))).toMatchObject(STARTED);
  });

  it.each([
    ['bad-settings', 'Cannot create an engine: momentum must be in [0, 1), got 2'],
    ['unavailable', 'Cannot start engine tfjs: no WebAssembly'],
  ] as const)('rejects with the fault %s of the thread', async (fault, message) => {
    const starting = start(threadOf('', { fault, message }));
    await expect(starting).rejects.toThrow(EngineStartError);
    await expect(starting).rejects.toMatchObject({ kind: fault, message });
  });

  it.each([
    ['crashes', `throw new Error('out of luck')`, 'out of luck'],
    ['ends', `process.exit(3)`, 'the engine thread ended with code 3'],
  ])('rejects when the thread %s before it can say anything', async (_, code, message) => {
    const starting = start(() => new Worker(code, { eval: true, execArgv: [] }));
    await expect(starting).rejects.toMatchObject({ tag: 'EngineStartError', kind: 'internal', message });
  });
});

describe('a call', () => {
  it('crosses with its argument and comes back with its own answer, in whatever order they come', async () => {
    const engine = await start(
      threadOf(`
        globalThis.waiting ??= [];
        waiting.push(() => port.postMessage({ id, value: [{ name: method, shape: [], values: argument.count }] }));
        if (waiting.length === 2) for (const answer of waiting.reverse()) answer();`),
    );
    const batch = { ...batchOf(1), count: 5 };
    expect(
      await Promise.all([engine.trainBatch(batch), engine.evaluateBatch({ ...batch, count: 6 })]),
    ).toEqual([
      [{ name: 'trainBatch', shape: [], values: 5 }],
      [{ name: 'evaluateBatch', shape: [], values: 6 }],
    ]);
  });

  it('hands a batch over without a copy: both sides see the same memory', async () => {
    const engine = await start(threadOf('argument.voxelsHu[1] = 42; port.postMessage({ id, value: {} });'));
    const batch = batchOf(1);
    await engine.trainBatch(batch);
    expect(batch.voxelsHu[1]).toBe(42);
  });

  it('rejects with what the engine throws, and the next call works', async () => {
    const engine = await start(
      threadOf(`
        if (method === 'importState') port.postMessage({ id, error: new Error('Cannot load model tensor a') });
        else port.postMessage({ id, value: [] });`),
    );
    await expect(engine.importState([])).rejects.toThrow('Cannot load model tensor a');
    expect(await engine.exportState()).toEqual([]);
  });

  it('that is under way rejects when the thread is disposed of, and so does every later one', async () => {
    const engine = await start(threadOf('for (;;);'));
    const training = engine.trainBatch(batchOf(1));
    engine.dispose();
    await expect(training).rejects.toThrow(EngineThreadError);
    await expect(training).rejects.toThrow('the engine thread ended');
    await expect(engine.exportState()).rejects.toThrow('the engine thread ended');
  });

  it('rejects when the thread crashes, with the cause', async () => {
    const engine = await start(threadOf(`throw new Error('out of memory');`));
    await expect(engine.trainBatch(batchOf(1))).rejects.toMatchObject({
      tag: 'EngineThreadError',
      message: 'the engine thread crashed',
      cause: { message: 'out of memory' },
    });
  });
});

// Node 20 runs no TypeScript in threads: the real one is the compiled file. Without the flags of the test runner, which
// would have it import our sources.
const compiledThread = fileURLToPath(new URL('../../dist/src/engine/engine-thread.js', import.meta.url));
const realThread = (settings: EngineSettings) =>
  new Worker(compiledThread, { workerData: settings, execArgv: [] });

describe.skipIf(!existsSync(compiledThread))('the engine thread [needs npm run setup]', () => {
  it('computes what the engine computes in this thread, to the bit', async () => {
    const [threaded, { engine: direct }] = [await start(realThread), await createEngine(SETTINGS)];
    expect(threaded).toMatchObject({ name: 'tfjs', parameterCount: direct.parameterCount });
    for (const seed of [1, 2]) {
      expect(await threaded.trainBatch(batchOf(seed))).toEqual(await direct.trainBatch(batchOf(seed)));
    }
    expect(await threaded.evaluateBatch(batchOf(3))).toEqual(await direct.evaluateBatch(batchOf(3)));
    const state = await threaded.exportState();
    expect(state).toEqual(await direct.exportState());
    await threaded.trainBatch(batchOf(4), 0.5);
    await direct.trainBatch(batchOf(4), 0.5);
    expect(await threaded.exportGradients()).toEqual(await direct.exportGradients());
    const sample = batchOf(5).voxelsHu.subarray(0, SAMPLE_LENGTH);
    expect(await threaded.inspectSample(sample)).toEqual(await direct.inspectSample(sample));
    await threaded.importState(state);
    expect(await threaded.exportState()).toEqual(state);
    direct.dispose();
  });

  it('takes a batch while it computes the one before, and gives the same bits', async () => {
    const [apart, together] = [await start(realThread), await start(realThread)];
    const batches = [1, 2, 3].map(batchOf);
    const expected = [];
    for (const batch of batches) expected.push(await apart.trainBatch(batch));
    expect(await Promise.all(batches.map((batch) => together.trainBatch(batch)))).toEqual(expected);
    expect(await together.exportState()).toEqual(await apart.exportState());
  });

  it('refuses settings with the kind that tells whose fault it is', async () => {
    const settings = { ...SETTINGS, engine: 'cuda' };
    await expect(ThreadedEngine.start(settings, realThread)).rejects.toMatchObject({
      kind: 'bad-settings',
      message: expect.stringMatching(
        /^Cannot create an engine: engine must be one of auto, .*, got cuda$/,
      ) as string,
    });
  });

  it('rejects a bad batch and goes on', async () => {
    const engine = await start(realThread);
    await expect(engine.trainBatch({ ...batchOf(1), count: 3 })).rejects.toThrow('Cannot run a batch');
    expect((await engine.evaluateBatch(batchOf(1))).probabilities.length).toBe(2);
  });
});

/** Asks a server for its health, one question after the other, until `isOver`; tells how many answers came. */
async function countHealthAnswers(address: string, isOver: (answers: number) => boolean): Promise<number> {
  const client = new Health(address, credentials.createInsecure());
  try {
    let answers = 0;
    while (!isOver(answers)) {
      await new Promise<void>((resolve, reject) =>
        client.check({ service: '' }, (error) => (error === null ? resolve() : reject(error))),
      );
      answers++;
    }
    return answers;
  } finally {
    client.close();
  }
}

// Structural, not timed: on a busy machine an answer may take as long as it likes, only not as long as the step.
// `bench -- training` measures how long answers take.
describe('the thread of RPC and health', () => {
  const ANSWERS = 100;

  it('answers while a step blocks the engine thread, however often it is asked', async () => {
    const server = await startInProcessServer(() => []);
    onTestFinished(() => server.stop());
    // A step that ends when the test says so: it holds its thread, as WebAssembly does.
    const engine = await start(
      threadOf('Atomics.wait(argument.gate, 0, 0); port.postMessage({ id, value: {} });'),
    );
    const gate = new Int32Array(new SharedArrayBuffer(4));
    let isOver = false;
    const step = engine.trainBatch({ ...batchOf(1), gate } as Batch).then(() => (isOver = true));
    expect(await countHealthAnswers(server.address, (answers) => answers === ANSWERS)).toBe(ANSWERS);
    expect(isOver).toBe(false);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await step;
  });

  it.skipIf(!existsSync(compiledThread))(
    'answers between start and end of a real step of the simd engine [needs npm run setup]',
    async () => {
      const server = await startInProcessServer(() => []);
      onTestFinished(() => server.stop());
      const engine = await ThreadedEngine.start({ ...SETTINGS, engine: 'simd', threads: 2 }, realThread);
      engines.push(engine);
      // A second or so of work in one step, so that there is something to answer meanwhile.
      const count = 1000;
      const voxelsHu = new Float32Array(new SharedArrayBuffer(count * SAMPLE_LENGTH * 4)).fill(-500);
      let isOver = false;
      const step = engine.trainBatch({ voxelsHu, labels: new Uint8Array(count), count });
      void step.finally(() => (isOver = true));
      const answers = await countHealthAnswers(server.address, () => isOver);
      // Asked for in this thread, the step would end before the first answer could come.
      expect(answers).toBeGreaterThan(1);
      await step;
    },
  );
});
