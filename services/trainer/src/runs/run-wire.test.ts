import { NO_AUGMENTATION } from '@lunastream/augmentation';
import type { BestScore, SplitRule } from '@lunastream/contracts';
import {
  Run,
  RunSettings as WireRunSettings,
  Sampler,
  RunState,
  WatchRunResponse,
} from '@lunastream/contracts';
import { LABELS } from '@lunastream/dataset';
import { INPUT_NORMALISATIONS, LEARNING_RATE_SCHEDULES, OPTIMIZER_NAMES, STORAGES } from '@lunastream/engine';
import { BEST_SCORES, type EpochRecord } from '@lunastream/metrics';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../test/training-fixtures.ts';
import { CHAPTER_LEARNING } from './learning-settings.ts';
import type { RunEvent, RunState as State } from './run-journal.ts';
import type { RunView } from './run-manager.ts';
import type { RunSettings } from './run-settings.ts';
import { fromWireSettings, toWireEvent, toWireRun, toWireState } from './run-wire.ts';

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
// Proto3 does not tell -0 from 0.
const number = fc.double({ noNaN: true }).map((value) => value + 0);
const positive = fc.double({ noNaN: true, min: 1e-300 });
const axis = fc.integer({ min: 16, max: 128 });
const runSettings: fc.Arbitrary<RunSettings> = fc.record({
  dataset: fc.string(),
  batchSize: uint32,
  epochs: uint32,
  ratio: fc.integer({ min: 1, max: 0xffff_ffff }),
  ratioSchedule: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  sampler: fc.constantFrom('shuffled', 'weighted'),
  epochLength: fc.integer({ min: 1, max: 0xffff_ffff }),
  augmentation: fc.record({
    flip: fc.boolean(),
    offset: number,
    scale: number,
    rotate: fc.boolean(),
    noiseHu: number,
    elasticVoxels: number,
    huShift: number,
    huScale: number,
    mixupAlpha: number,
  }),
  margin: fc.boolean(),
  voxelType: fc.constantFrom('float32' as const, 'float16' as const),
  border: fc.constantFrom('shift', 'pad-air'),
  tbPrefix: fc.string(),
  comment: fc.string(),
  seed: uint32,
  chunkShape: fc.record({ depth: axis, height: axis, width: axis }),
  learningRate: number,
  momentum: number,
  engine: fc.string(),
  threads: fc.integer({ min: 1, max: 256 }),
  checkpointBatches: fc.nat(),
  threshold: number,
  split: fc.constantFrom('series', 'candidate'),
  score: fc.constantFrom(...BEST_SCORES),
  validationCadence: fc.integer({ min: 1, max: 0xffff_ffff }),
  earlyStop: uint32,
  learning: fc.record({
    optimizer: fc.constantFrom(...OPTIMIZER_NAMES),
    weightDecay: number,
    largestGradientNorm: fc.option(positive, { nil: undefined }),
    positiveWeight: positive,
    focusing: number,
    inputNormalisation: fc.constantFrom(...INPUT_NORMALISATIONS),
    schedule: fc.record({
      schedule: fc.constantFrom(...LEARNING_RATE_SCHEDULES),
      stepEpochs: fc.integer({ min: 1, max: 0xffff_ffff }),
      stepFactor: positive,
      warmupEpochs: number,
    }),
    fineTuneDepth: fc.integer({ min: 1, max: 0xffff_ffff }),
    activationStorage: fc.constantFrom(...STORAGES),
  }),
  tensorboard: fc.option(fc.record({ sample: fc.option(uint32, { nil: undefined }) }), { nil: undefined }),
  labels: fc.constantFrom(...LABELS),
  initialWeights: fc.option(fc.record({ sha256: fc.string(), newHead: fc.boolean() }), { nil: undefined }),
});
const score = fc.option(number, { nil: null });
const count = fc.nat();
const epochRecord: fc.Arbitrary<EpochRecord> = fc.record({
  epoch: fc.nat(),
  split: fc.constantFrom('trn', 'val'),
  samples_seen: fc.nat(),
  tp: count,
  fp: count,
  tn: count,
  fn: count,
  loss_all: score,
  loss_neg: score,
  loss_pos: score,
  precision: score,
  recall: score,
  f1: score,
  f2: score,
  f05: score,
  pr_auc: score,
  roc_auc: score,
  threshold: number,
  non_finite: count,
  recall_at_fpr: score,
  fpr_limit: number,
});

const viewOf = (settings: RunSettings, epochs: readonly EpochRecord[] = []): RunView => ({
  record: {
    runId: 'p2ch12/x-dlwpt',
    startedAt: '2026-11-23T09:05:13.042Z',
    settings,
    datasetFingerprint: 'f00d',
    engine: { name: 'fake', device: 'a test', reason: 'asked for' },
    versions: {},
  },
  folderPath: '/runs/p2ch12/x-dlwpt',
  status: { state: 'failed', message: 'it broke', bestEpoch: 2, stallFraction: 0.5 },
  epochs: [...epochs],
});
/** What a client gets of a message that was sent. */
const sent = (run: Run): Run => Run.decode(Run.encode(run).finish());
const sentEvent = (event: RunEvent) =>
  WatchRunResponse.decode(WatchRunResponse.encode(toWireEvent(event)).finish()).event;

describe('settings', () => {
  it('survive the way to the wire and back, all of them', () => {
    fc.assert(
      fc.property(runSettings, (settings) => {
        expect(fromWireSettings(sent(toWireRun(viewOf(settings))).settings!)).toEqual(settings);
      }),
    );
  });

  const wire = (fields: Partial<WireRunSettings>) => WireRunSettings.create(fields);

  it('have the defaults of the proto where nothing was sent', () => {
    expect(fromWireSettings(wire({ ratio: 1 }))).toMatchObject({
      epochLength: 200_000,
      augmentation: NO_AUGMENTATION,
      chunkShape: { depth: 0, height: 0, width: 0 },
      sampler: 'shuffled',
      ratioSchedule: undefined,
      validationCadence: 1,
      earlyStop: 0,
      learning: CHAPTER_LEARNING,
      tensorboard: undefined,
      split: 'series',
      score: 'f1',
    });
  });

  it('leave an unbalanced epoch its natural length unless one was sent', () => {
    expect(fromWireSettings(wire({ ratio: 0 })).epochLength).toBeUndefined();
    expect(fromWireSettings(wire({ ratio: 0, epochLength: 64 })).epochLength).toBe(64);
    // Such an epoch is balanced, although its ratio is 0; with a schedule it depends on the epoch.
    expect(fromWireSettings(wire({ sampler: Sampler.WEIGHTED })).epochLength).toBe(200_000);
    expect(fromWireSettings(wire({ ratioSchedule: '1,0' })).epochLength).toBeUndefined();
    expect(toWireRun(viewOf({ ...SETTINGS, epochLength: undefined })).settings?.epochLength).toBe(0);
  });

  it('keep rules and scores that a newer client knows unset, for compileRunSettings to refuse', () => {
    const settings = fromWireSettings(wire({ split: 99 as SplitRule, score: 99 as BestScore }));
    expect(settings.split).toBeUndefined();
    expect(settings.score).toBeUndefined();
  });
});

describe('toWireRun()', () => {
  it('tells identity, folder, state, time and best epoch', () => {
    expect(sent(toWireRun(viewOf(SETTINGS)))).toMatchObject({
      runId: 'p2ch12/x-dlwpt',
      runFolder: '/runs/p2ch12/x-dlwpt',
      state: RunState.FAILED,
      startedAt: new Date('2026-11-23T09:05:13.042Z'),
      scores: [],
      bestEpoch: 2,
    });
  });

  it('carries every score, and keeps an undefined one apart from 0', () => {
    const orUndefined = (value: number | null) => value ?? undefined;
    fc.assert(
      fc.property(epochRecord, (record) => {
        expect(sent(toWireRun(viewOf(SETTINGS, [record]))).scores).toEqual([
          {
            epoch: record.epoch,
            split: record.split,
            samplesSeen: record.samples_seen,
            truePositives: record.tp,
            falsePositives: record.fp,
            trueNegatives: record.tn,
            falseNegatives: record.fn,
            lossAll: orUndefined(record.loss_all),
            lossNeg: orUndefined(record.loss_neg),
            lossPos: orUndefined(record.loss_pos),
            precision: orUndefined(record.precision),
            recall: orUndefined(record.recall),
            f1: orUndefined(record.f1),
            f2: orUndefined(record.f2),
            f05: orUndefined(record.f05),
            prAuc: orUndefined(record.pr_auc),
            rocAuc: orUndefined(record.roc_auc),
            recallAtFpr: orUndefined(record.recall_at_fpr),
          },
        ]);
      }),
    );
  });
});

describe('toWireEvent()', () => {
  it('carries log lines with their time to the millisecond', () => {
    const time = new Date('2026-11-23T09:05:13.042Z');
    expect(sentEvent({ kind: 'line', time, level: 'WARNING', text: 'E1 Training ----/4, starting' })).toEqual(
      {
        $case: 'logLine',
        value: { time, level: 'WARNING', text: 'E1 Training ----/4, starting' },
      },
    );
  });

  it.each([
    [undefined, ''],
    ['augmentation workers: a (gone)', 'augmentation workers: a (gone)'],
  ])('carries progress that waits for %j', (waitingFor, expected) => {
    const progress = {
      epoch: 2,
      split: 'val',
      doneSamples: 8,
      totalSamples: 16,
      samplesPerSecond: 2.5,
      meanLoss: NaN,
    } as const;
    expect(sentEvent({ kind: 'progress', progress: { ...progress, waitingFor } })).toEqual({
      $case: 'progress',
      value: { ...progress, waitingFor: expected },
    });
  });

  it('carries states with their reason', () => {
    const status = { state: 'failed', message: 'it broke', bestEpoch: 3, stallFraction: 0.25 } as const;
    expect(sentEvent({ kind: 'status', status })).toEqual({
      $case: 'status',
      value: { ...status, state: RunState.FAILED },
    });
  });

  it('carries scores', () => {
    const record = {
      epoch: 4,
      split: 'val',
      samples_seen: 40,
      tp: 1,
      fp: 2,
      tn: 3,
      fn: 0,
      f1: 0.5,
    } as EpochRecord;
    expect(sentEvent({ kind: 'scores', record })).toMatchObject({
      $case: 'scores',
      value: { epoch: 4, split: 'val', samplesSeen: 40, truePositives: 1, falsePositives: 2, f1: 0.5 },
    });
  });
});

describe('toWireState()', () => {
  it('gives every state a value of its own, none of them unspecified', () => {
    const states: State[] = ['starting', 'running', 'finished', 'stopped', 'failed'];
    const values = states.map(toWireState);
    expect(values).toEqual([
      RunState.STARTING,
      RunState.RUNNING,
      RunState.FINISHED,
      RunState.STOPPED,
      RunState.FAILED,
    ]);
  });
});
