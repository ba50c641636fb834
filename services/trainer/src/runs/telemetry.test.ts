import { summarizeEpoch, type Split } from '@lunastream/metrics';
import { NO_TELEMETRY, type Observer, type ObservedName, type Telemetry } from '@lunastream/telemetry';
import { withTemporaryFolder } from '@lunastream/testing';
import { MadeCounts } from '@lunastream/transform-pool';
import { describe, expect, it } from 'vitest';
import { benchIn } from '../../test/run-bench.ts';
import { SETTINGS } from '../../test/training-fixtures.ts';
import { newLeaseCounts } from '../supply/lease-counts.ts';
import { LocalCounts } from '../supply/local-counts.ts';
import { observeLocalSupply, observeWorkerSupply } from '../supply/supply-telemetry.ts';
import { RunsTelemetry } from './telemetry.ts';

/** A telemetry whose values a test can read. */
function readable() {
  const observers: Observer[] = [];
  const recorded: [string, number, object][] = [];
  let flushCount = 0;
  let flushed: Promise<void> = Promise.resolve();
  const telemetry: Telemetry = {
    ...NO_TELEMETRY,
    observe: (observer) => (observers.push(observer), () => undefined),
    record: (name, value, attributes) => void recorded.push([name, value, attributes]),
    flush: () => (flushCount++, flushed),
  };
  /** Values by the attributes of `name`, joined. */
  const read = (name: ObservedName) => {
    const values: Record<string, number> = {};
    for (const observer of observers) {
      observer((reported, value, attributes) => {
        if (reported === name && value !== undefined) values[Object.values(attributes).join(' ')] = value;
      });
    }
    return values;
  };
  return {
    telemetry,
    read,
    recorded,
    flushes: () => flushCount,
    flushUntil: (until: Promise<void>) => void (flushed = until),
  };
}

function worker(address: string, changes: object = {}) {
  return {
    address,
    client: { streamSamples: () => undefined as never, close: () => undefined },
    leases: 1,
    failures: 0,
    isResting: false,
    isSilent: false,
    lastError: undefined,
    quarantineReason: undefined,
    sent: { leases: 3, brokenLeases: 1, samples: 40, sampleBytes: 4000 },
    ...changes,
  };
}

function trainerTelemetry() {
  const bench = readable();
  const pool = { workers: [worker('a:1'), worker('b:2', { failures: 2 })] };
  const counts = newLeaseCounts();
  let nowMs = 0;
  const observer = new RunsTelemetry(bench.telemetry, () => nowMs);
  observeWorkerSupply(bench.telemetry, { counts, pool, sampleBufferBytes: 1024 });
  return { ...bench, observer, pool, counts, advance: (ms: number) => (nowMs += ms) };
}

function summary(epoch: number, split: Split, probabilities: readonly number[]) {
  const labels = [1, 1, 0, 0, 0];
  return summarizeEpoch({
    epoch,
    split,
    labels,
    probabilities,
    losses: labels.map(() => 0.5),
    threshold: 0.5,
  });
}

const ENGINE = { device: 'a test', memoryBytes: 12, deviceMemoryBytes: 4096 };
const LOADED = {
  batch: { voxelsHu: new Float32Array(0), labels: new Uint8Array(5), count: 5 },
  firstOrdinal: 0,
  readyMs: 0,
  release: () => undefined,
};

async function runEpoch(bench: ReturnType<typeof trainerTelemetry>, runId: string, epoch = 1) {
  const run = bench.observer.start(runId);
  const pass = run.openPass({ epoch, split: 'trn', batchSize: 5 });
  await pass.step({ ...LOADED, stallMs: 100 }, () => Promise.resolve(bench.advance(400)));
  pass.close(0.25);
  await run.epochDone({
    trained: summary(epoch, 'trn', [0.9, 0.1, 0.8, 0.1, 0.1]),
    validated: summary(epoch, 'val', [0.1, 0.1, 0.1, 0.1, 0.1]),
    bestEpoch: 0,
    engine: ENGINE,
    isOverfitting: false,
  });
  return run;
}

describe('the telemetry of a run', () => {
  it('tells counts, scores and time of the latest epoch', async () => {
    const bench = trainerTelemetry();
    await runEpoch(bench, 'p/r');
    const { read } = bench;
    expect(read('lunastream.run.active')).toEqual({ 'p/r': 1 });
    expect(read('lunastream.run.epoch')).toEqual({ 'p/r': 1 });
    expect(read('lunastream.run.samples')).toEqual({ 'p/r trn': 5, 'p/r val': 0 });
    expect(read('lunastream.run.busy.time')['p/r trn']).toBe(0.5);
    expect(read('lunastream.run.stall.time')['p/r trn']).toBe(0.1);
    expect(read('lunastream.epoch.throughput')['p/r trn']).toBe(10);
    expect(read('lunastream.epoch.border_voxels')).toEqual({ 'p/r': 0.25 });
    expect(read('lunastream.epoch.predictions')).toMatchObject({
      'p/r trn tp': 1,
      'p/r trn fn': 1,
      'p/r trn fp': 1,
      'p/r trn tn': 2,
    });
    expect(read('lunastream.epoch.recall')).toEqual({ 'p/r trn': 0.5, 'p/r val': 0 });
    expect(read('lunastream.epoch.f_score')).toMatchObject({ 'p/r trn 1': 0.5, 'p/r val 2': 0 });
    expect(read('lunastream.epoch.accuracy')).toMatchObject({ 'p/r trn all': 0.6, 'p/r val pos': 0 });
    expect(read('lunastream.epoch.degenerate')).toEqual({ 'p/r trn': 0, 'p/r val': 1 });
    expect(read('lunastream.engine.memory')).toEqual({ 'p/r a test': 12 });
    expect(read('lunastream.engine.device_memory')).toEqual({ 'p/r a test': 4096 });
    expect(bench.recorded).toEqual([['lunastream.step.duration', 0.4, { split: 'trn' }]]);
    expect(bench.flushes()).toBe(1);
  });

  it('leaves out what is undefined: precision without calls, a best epoch where there is none', async () => {
    const bench = trainerTelemetry();
    await runEpoch(bench, 'p/r');
    expect(bench.read('lunastream.epoch.precision')).toEqual({ 'p/r trn': 0.5 });
    expect(bench.read('lunastream.run.best_epoch')).toEqual({});
  });

  it('adds predictions up over epochs', async () => {
    const bench = trainerTelemetry();
    const run = await runEpoch(bench, 'p/r');
    await run.epochDone({
      trained: summary(2, 'trn', [0.9, 0.9, 0.1, 0.1, 0.1]),
      validated: undefined,
      bestEpoch: 2,
      engine: ENGINE,
      isOverfitting: true,
    });
    expect(bench.read('lunastream.run.predictions')).toMatchObject({ 'p/r trn tp': 3, 'p/r val fn': 2 });
    expect(bench.read('lunastream.run.epoch')).toEqual({ 'p/r': 2 });
    expect(bench.read('lunastream.epoch.overfitting')).toEqual({ 'p/r': 1 });
  });

  it('keeps an epoch until it is sent, however soon the next one is done', async () => {
    const bench = trainerTelemetry();
    let send: () => void = () => undefined;
    bench.flushUntil(new Promise((resolve) => (send = resolve)));
    const run = await runEpoch(bench, 'p/r');
    const next = run.epochDone({
      trained: summary(2, 'trn', [0.9, 0.9, 0.1, 0.1, 0.1]),
      validated: undefined,
      bestEpoch: 2,
      engine: ENGINE,
    isOverfitting: false,
    });
    await Promise.resolve();
    expect(bench.read('lunastream.run.epoch')).toEqual({ 'p/r': 1 });
    send();
    await next;
    expect(bench.read('lunastream.run.epoch')).toEqual({ 'p/r': 2 });
  });

  it('tells of the latest twenty runs, and demand while one is active', async () => {
    const bench = trainerTelemetry();
    for (let index = 0; index < 25; index++) (await runEpoch(bench, `p/${index}`)).ended();
    expect(Object.keys(bench.read('lunastream.run.active'))).toHaveLength(20);
    expect(bench.read('lunastream.run.active')).toMatchObject({ 'p/24': 0 });
    expect(bench.read('lunastream.demand')).toEqual({});
    await runEpoch(bench, 'p/last');
    expect(bench.read('lunastream.demand')).toEqual({ '': 12.5 });
  });

  it('makes no demand on workers where samples are made in its own process', async () => {
    const bench = readable();
    const observer = new RunsTelemetry(bench.telemetry, () => 0, 'local');
    await runEpoch({ ...trainerTelemetry(), ...bench, observer }, 'p/r');
    expect(bench.read('lunastream.run.active')).toEqual({ 'p/r': 1 });
    expect(bench.read('lunastream.demand')).toEqual({});
  });

  it('counts no time twice where a batch is handed over before the one before is done', async () => {
    const bench = trainerTelemetry();
    const pass = bench.observer.start('p/r').openPass({ epoch: 1, split: 'trn', batchSize: 5 });
    const ends: (() => void)[] = [];
    const work = () => new Promise<void>((resolve) => ends.push(resolve));
    const steps = [0, 5].map((firstOrdinal) => pass.step({ ...LOADED, firstOrdinal, stallMs: 0 }, work));
    for (const [index, step] of steps.entries()) {
      bench.advance(400);
      ends[index]!();
      await step;
    }
    expect(bench.read('lunastream.run.busy.time')['p/r trn']).toBe(0.8);
    expect(bench.read('lunastream.demand')).toEqual({ '': 12.5 });
    pass.close(0);
  });

  it('changes nothing about a run that fails within a step', async () => {
    const bench = trainerTelemetry();
    const pass = bench.observer.start('p/r').openPass({ epoch: 1, split: 'trn', batchSize: 5 });
    const fault = new Error('planted');
    await expect(pass.step({ ...LOADED, stallMs: 0 }, () => Promise.reject(fault))).rejects.toBe(fault);
    pass.close(0);
    expect(bench.read('lunastream.run.samples')['p/r trn']).toBe(0);
  });

  it('follows a whole run', async () => {
    const bench = trainerTelemetry();
    await withTemporaryFolder(async (folder) => {
      const { run } = await benchIn(folder, {
        settings: { ...SETTINGS, epochs: 2 },
        observer: bench.observer.start('p/r'),
      });
      await run.run();
    });
    expect(bench.read('lunastream.run.epoch')).toEqual({ 'p/r': 2 });
    const samples = bench.read('lunastream.run.samples');
    const predictions = bench.read('lunastream.run.predictions');
    for (const split of ['trn', 'val']) {
      const counted = ['tp', 'fp', 'tn', 'fn'].reduce(
        (sum, one) => sum + predictions[`p/r ${split} ${one}`]!,
        0,
      );
      expect(counted).toBe(samples[`p/r ${split}`]);
      expect(counted).toBeGreaterThan(0);
    }
    expect(bench.flushes()).toBe(2);
  });
});

describe('the telemetry of the supply', () => {
  it('tells each worker by its address, and forgets it when it is gone', () => {
    const bench = trainerTelemetry();
    expect(bench.read('lunastream.supply.samples')).toEqual({ 'a:1': 40, 'b:2': 40 });
    expect(bench.read('lunastream.supply.answering_workers')).toEqual({ '': 1 });
    bench.pool.workers.pop();
    expect(bench.read('lunastream.supply.samples')).toEqual({ 'a:1': 40 });
    expect(bench.read('lunastream.supply.workers')).toEqual({ '': 1 });
  });

  it('tells what leases did as it stands', () => {
    const bench = trainerTelemetry();
    Object.assign(bench.counts, { hedgedLeases: 2, repeatedSamples: 7, awaitedBytes: 512 });
    expect(bench.read('lunastream.supply.hedges')).toEqual({ '': 2 });
    expect(bench.read('lunastream.supply.retries')).toEqual({ '': 7 });
    expect(bench.read('lunastream.supply.awaited')).toEqual({ '': 512 });
  });
});

describe('the telemetry of a supply that is this process', () => {
  it('tells what workers and caches would: samples, transform times, capacity, tiers of chunks', () => {
    const { telemetry, read, recorded } = readable();
    const counts = Object.assign(new LocalCounts(), {
      sampleCount: 9,
      awaitedBytes: 64,
      failedChunkCount: 1,
    });
    const made = new MadeCounts();
    const tier = {
      tier: 'lmdb',
      hitCount: 1,
      missCount: 2,
      entryCount: 3,
      sizeBytes: 4,
      limitBytes: 5,
      evictionCount: 6,
      corruptCount: 7,
      errorCount: 8,
    };
    const stats = {
      tiers: [tier],
      cutChunkCount: 2,
      volumes: undefined,
      sourceReadCount: 0,
      sourceReadBytes: 0,
    };
    observeLocalSupply(telemetry, {
      counts,
      made,
      chunks: { stats: () => stats },
      threads: 2,
      sampleBufferBytes: 1024,
    });
    expect(read('lunastream.worker.capacity')).toEqual({});
    const sample = { buffer: new ArrayBuffer(0), borderFraction: 0.25, checksum: 0, tookMs: 4 };
    made.noteSample(sample, 100);
    expect(recorded).toEqual([['lunastream.worker.transform.duration', 0.004, {}]]);
    expect(read('lunastream.worker.capacity')).toEqual({ '': 500 });
    expect(read('lunastream.worker.samples')).toEqual({ '': 1 });
    expect(read('lunastream.worker.border_voxels')).toEqual({ '': 25 });
    expect(read('lunastream.supply.samples')).toEqual({ local: 9 });
    expect(read('lunastream.supply.awaited')).toEqual({ '': 64 });
    expect(read('lunastream.chunks.failures')).toEqual({ '': 1 });
    expect(read('lunastream.chunks.tier_errors')).toEqual({ lmdb: 8 });
    expect(read('lunastream.chunks.hits')).toEqual({ lmdb: 1 });
  });
});
