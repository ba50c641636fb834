import { NO_AUGMENTATION } from '@lunastream/augmentation';
import type { Candidate } from '@lunastream/dataset';
import type { EpochRecord } from '@lunastream/metrics';
import { withTemporaryFolder } from '@lunastream/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../test/fake-clock.ts';
import { benchIn, linesOf, MOSTLY_RIGHT, PLAIN, progressOf, scoresOf } from '../../test/run-bench.ts';
import { CANDIDATES, DATASET, SETTINGS } from '../../test/training-fixtures.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('the log of a run', () => {
  it('is the chapter’s, to the character', () =>
    withTemporaryFolder(async (runs) => {
      const { run, events } = await benchIn(runs, {
        settings: { ...PLAIN, batchSize: 1 },
        engine: { predict: MOSTLY_RIGHT },
      });
      await run.run();
      expect(linesOf(events)).toEqual([
        'INFO     LunaDataset: 10 training samples, 8 neg, 2 pos, unbalanced ratio',
        'INFO     LunaDataset: 2 validation samples, 1 neg, 1 pos, unbalanced ratio',
        'WARNING  Leak: 2 of 4 series are on both sides of the split; validation scores will be too good (--split series avoids it)',
        'INFO     Epoch 1 of 1, 10/2 batches of size 1*1',
        'WARNING  E1 Training ----/10, starting',
        'INFO     E1 Training    4/10, done at 2026-11-23 09:05:23, 0:00:09',
        'INFO     E1 Training    8/10, done at 2026-11-23 09:05:23, 0:00:09',
        'WARNING  E1 Training ----/10, done at 2026-11-23 09:05:23',
        'WARNING  E1 Validation  ----/2, starting',
        'WARNING  E1 Validation  ----/2, done at 2026-11-23 09:05:25',
        'INFO     E1 LunaTrainingApp',
        'INFO     E1 trn      0.3859 loss,  90.0% correct, 0.6667 precision, 1.0000 recall, 0.8000 f1 score',
        'INFO     E1 trn_neg  0.4266 loss,  87.5% correct (7 of 8)',
        'INFO     E1 trn_pos  0.2231 loss, 100.0% correct (2 of 2)',
        'INFO     E1 LunaTrainingApp',
        'INFO     E1 val      0.2899 loss, 100.0% correct, 1.0000 precision, 1.0000 recall, 1.0000 f1 score',
        'INFO     E1 val_neg  0.3567 loss, 100.0% correct (1 of 1)',
        'INFO     E1 val_pos  0.2231 loss, 100.0% correct (1 of 1)',
        'INFO     Best f1 1.0000 in epoch 1',
      ]);
    }));

  it('tells the ratio of a balanced run, and only of its training side', () =>
    withTemporaryFolder(async (runs) => {
      const settings = { ...PLAIN, ratio: 2, epochLength: 9, split: 'series' } as const;
      const { events } = await benchIn(runs, { settings });
      const [training, validation, ...others] = linesOf(events);
      expect(training).toMatch(/ training samples, \d neg, \d pos, 2:1 ratio$/);
      expect(validation).toMatch(/ validation samples, \d neg, \d pos, unbalanced ratio$/);
      // No leak: the split is by series.
      expect(others).toEqual([]);
    }));

  it('warns of candidates that were left out, with the first reasons', () =>
    withTemporaryFolder(async (runs) => {
      const { events } = await benchIn(runs, {
        dataset: {
          ...DATASET,
          leftOut: { missingScan: 5, outsideScan: 38, badScan: 1 },
          problems: ['one', 'two', 'three', 'four'],
        },
      });
      expect(linesOf(events).slice(2, 6)).toEqual([
        'WARNING  Left out: 5 candidates of absent scans, 38 outside their scan, 1 of damaged scans (`lunastream data check` lists them all)',
        'WARNING  one',
        'WARNING  two',
        'WARNING  three',
      ]);
    }));

  it('warns of a model that calls everything negative, and of scores that are undefined', () =>
    withTemporaryFolder(async (runs) => {
      const { run, events } = await benchIn(runs, { engine: { predict: () => 0.1 } });
      await run.run();
      expect(linesOf(events).filter((line) => line.includes(' E1 val: '))).toEqual([
        'WARNING  E1 val: precision is undefined: no sample was called positive (TP + FP = 0)',
        'WARNING  E1 val: every sample was called negative: the model tells nothing apart, although 50.0% are correct',
      ]);
      expect(linesOf(events).at(-1)).toBe('INFO     Best f1 0.0000 in epoch 1');
    }));
});

describe('an epoch', () => {
  it('makes training samples with the margin that was asked for, and tells what still repeats a border', () =>
    withTemporaryFolder(async (runs) => {
      const { run, samples, events } = await benchIn(runs, { settings: SETTINGS });
      samples.border = 0.208;
      await run.run();
      expect(samples.plans.map(({ margin }) => margin)).toEqual([true, false]);
      expect(linesOf(events).filter((line) => line.includes('border'))).toEqual([
        'INFO     E1 trn      20.8% of voxels repeat the border of their chunk (--margin avoids it)',
      ]);
    }));

  it('mixes nodules in training: the engine learns soft labels, scores count by hard ones', () =>
    withTemporaryFolder(async (runs) => {
      const augmentation = { ...NO_AUGMENTATION, mixupAlpha: 1 };
      const settings = { ...SETTINGS, augmentation, ratio: 1, epochLength: 8 };
      const { run, samples, engine, events } = await benchIn(runs, { settings });
      await run.run();
      const [training, validation] = samples.plans;
      training!.samples.forEach(({ partnerOrdinal }, ordinal) => {
        if (ordinal % 2 === 1) expect(partnerOrdinal).toBeUndefined();
        else expect(partnerOrdinal).not.toBe(ordinal);
      });
      expect(validation!.samples).toEqual([CANDIDATES[0], CANDIDATES[10]]);
      const labels = engine.batches.flatMap(({ kind, labels }) => (kind === 'train' ? [...labels] : []));
      expect(labels.filter((_, ordinal) => ordinal % 2 === 1)).toEqual([0, 0, 0, 0]);
      const soft = labels.filter((_, ordinal) => ordinal % 2 === 0);
      expect(soft.some((label) => label > 0 && label < 1)).toBe(true);
      const [trained] = scoresOf(events);
      expect([trained!.tp + trained!.fn, trained!.fp + trained!.tn]).toEqual([4, 4]);
    }));

  it('trains augmented and balanced, and validates neither, every candidate once in order', () =>
    withTemporaryFolder(async (runs) => {
      const settings = { ...SETTINGS, ratio: 1, epochLength: 8 };
      const { run, samples, engine } = await benchIn(runs, { settings });
      await run.run();
      const [training, validation] = samples.plans;
      expect(training).toMatchObject({ augmentation: SETTINGS.augmentation, runSeed: 7, epoch: 1 });
      expect(training!.samples.length).toBe(8);
      expect(validation).toMatchObject({ augmentation: NO_AUGMENTATION, runSeed: 7, epoch: 1 });
      expect(validation!.samples).toEqual([CANDIDATES[0], CANDIDATES[10]]);
      expect(engine.batches.map(({ kind, labels }) => [kind, labels.join('')])).toEqual([
        ['train', '1010'],
        ['train', '1010'],
        ['evaluate', '10'],
      ]);
    }));

  it('balances by a schedule of the epoch, or by weights', () =>
    withTemporaryFolder(async (runs) => {
      const settings = { ...PLAIN, epochs: 2, epochLength: 6, batchSize: 6, ratioSchedule: '1,2' };
      const scheduled = await benchIn(runs, { settings });
      await scheduled.run.run();
      const trained = scheduled.engine.batches.filter(({ kind }) => kind === 'train');
      expect(trained.map(({ labels }) => labels.join(''))).toEqual(['101010', '100100']);
      expect(linesOf(scheduled.events)[0]).toMatch(/2 pos, \(1,2\):1 ratio$/);

      const weighted = await benchIn(runs, {
        settings: { ...PLAIN, epochLength: 400, batchSize: 400, sampler: 'weighted' },
      });
      await weighted.run.run();
      const positives = weighted.engine.batches[0]!.labels.reduce((sum, label) => sum + label, 0);
      // Five standard deviations of a fair coin.
      expect(Math.abs(positives - 200)).toBeLessThan(50);
      expect(linesOf(weighted.events)[0]).toMatch(/2 pos, weighted 1:1 ratio$/);
    }));

  it('shows every training candidate once when it is unbalanced, whatever the batch size', () =>
    withTemporaryFolder(async (runs) => {
      const { run, samples, engine } = await benchIn(runs, { settings: { ...PLAIN, batchSize: 3 } });
      await run.run();
      const shown = samples.plans[0]!.samples as Candidate[];
      expect(new Set(shown)).toEqual(new Set(CANDIDATES.filter((_, position) => position % 10 !== 0)));
      expect(engine.batches.map(({ labels }) => labels.length)).toEqual([3, 3, 3, 1, 2]);
      // Voxels and labels belong together.
      for (const { firstVoxelsHu, labels } of engine.batches) {
        expect(labels).toEqual(firstVoxelsHu.map((hu) => Number(hu > 0)));
      }
    }));

  it('counts its step axis in training samples, the same for both splits', () =>
    withTemporaryFolder(async (runs) => {
      const settings = { ...PLAIN, epochs: 3, ratio: 1, epochLength: 7 };
      const { run, parts, events } = await benchIn(runs, { settings });
      await run.run();
      const expected = [
        [1, 'trn', 7],
        [1, 'val', 7],
        [2, 'trn', 14],
        [2, 'val', 14],
        [3, 'trn', 21],
        [3, 'val', 21],
      ];
      const axes = (records: readonly EpochRecord[]) =>
        records.map(({ epoch, split, samples_seen: seen }) => [epoch, split, seen]);
      expect(axes(scoresOf(events))).toEqual(expected);
      expect(axes(await parts.folder.readEpochs())).toEqual(expected);
    }));

  it('reshuffles a balanced plan for every epoch', () =>
    withTemporaryFolder(async (runs) => {
      const settings = { ...PLAIN, epochs: 2, ratio: 1, epochLength: 40 };
      const { run, samples } = await benchIn(runs, { settings });
      await run.run();
      const [first, , second] = samples.plans;
      expect(second!.epoch).toBe(2);
      expect(second!.samples).not.toEqual(first!.samples);
    }));

  it('is told as progress: where it begins, ten times a second at most, and where it ends', () =>
    withTemporaryFolder(async (runs) => {
      const settings = { ...PLAIN, batchSize: 1, ratio: 1, epochLength: 20 };
      const clock = new FakeClock();
      const { run, events } = await benchIn(runs, {
        settings,
        clock,
        engine: { predict: () => 0.5, onBatch: () => clock.advance(30) },
      });
      await run.run();
      const training = progressOf(events).filter(({ split }) => split === 'trn');
      expect(training.map(({ doneSamples }) => doneSamples)).toEqual([0, 4, 8, 12, 16, 20]);
      expect(training.at(-1)).toEqual({
        epoch: 1,
        split: 'trn',
        doneSamples: 20,
        totalSamples: 20,
        samplesPerSecond: 20 / 0.6,
        meanLoss: Math.fround(-Math.log(0.5)),
        waitingFor: undefined,
      });
    }));

  it('tells what it waits for while no samples come', () =>
    withTemporaryFolder(async (runs) => {
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
      const { run, samples, events, stop } = await benchIn(runs);
      samples.onSample = (_plan, _ordinal, signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      const ended = run.run();
      ended.catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      vi.advanceTimersByTime(1000);
      samples.waiting = 'augmentation workers: a (gone)';
      vi.advanceTimersByTime(1000);
      const waits = () => progressOf(events).map(({ waitingFor }) => waitingFor);
      expect(waits()).toEqual([undefined, 'augmentation workers: a (gone)']);
      stop.abort(new Error('stopped'));
      await expect(ended).rejects.toThrow('stopped');
      vi.advanceTimersByTime(5000);
      expect(waits()).toHaveLength(2);
    }));
});

describe('stallFraction', () => {
  it('is the share of time in passes in which the engine waited for samples', () =>
    withTemporaryFolder(async (runs) => {
      const clock = new FakeClock();
      const { run, samples } = await benchIn(runs, {
        clock,
        settings: { ...PLAIN, batchSize: 10 },
        engine: { onBatch: () => clock.advance(300) },
      });
      samples.onSample = async (_plan, ordinal) => {
        await Promise.resolve();
        // 100 ms for the one batch of each pass.
        if (ordinal === 0) clock.advance(100);
      };
      expect(run.stallFraction).toBe(0);
      expect((await run.run()).stallFraction).toBe(0.25);
      expect(run.stallFraction).toBe(0.25);
    }));
});

describe('a run that cannot go on', () => {
  it('rejects with the reason of its signal, at once, and leaves the last checkpoint', () =>
    withTemporaryFolder(async (runs) => {
      const { run, parts, stop, engine } = await benchIn(runs, {
        settings: { ...PLAIN, epochs: 3 },
        engine: {
          onBatch: (_, index) => {
            // Epoch 1 has three batches of training and one of validation.
            if (index === 5) stop.abort(new Error('stopped by hand'));
          },
        },
      });
      await expect(run.run()).rejects.toThrow('stopped by hand');
      expect(engine.batches.length).toBe(6);
      expect((await parts.folder.readCheckpoint('last')).metadata.epoch).toBe(1);
      expect((await parts.folder.readEpochs()).length).toBe(2);
    }));

  it('rejects with what the samples fail with', () =>
    withTemporaryFolder(async (runs) => {
      const { run, samples } = await benchIn(runs);
      samples.onSample = (_, ordinal) => {
        if (ordinal === 5) throw new Error('Cannot make sample 5: scan 1.2.3 is truncated');
      };
      await expect(run.run()).rejects.toThrow('Cannot make sample 5: scan 1.2.3 is truncated');
    }));

  it('rejects with what the engine fails with, although samples no longer come', () =>
    withTemporaryFolder(async (runs) => {
      const { run, samples } = await benchIn(runs, {
        engine: {
          onBatch: () => {
            throw new Error('the device is lost');
          },
        },
      });
      samples.onSample = (_plan, ordinal, signal) =>
        ordinal < 4
          ? undefined
          : new Promise((_, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason as Error)),
            );
      await expect(run.run()).rejects.toThrow('the device is lost');
    }));
});

describe('the learning rate', () => {
  it('follows the schedule from step to step, also of a run that is resumed', () =>
    withTemporaryFolder(async (runs) => {
      const schedule = { schedule: 'cosine', stepEpochs: 10, stepFactor: 0.1, warmupEpochs: 0 } as const;
      const settings = { ...PLAIN, epochs: 2, learning: { ...PLAIN.learning, schedule } };
      const whole = await benchIn(runs, { settings });
      await whole.run.run();
      // Ten training samples in batches of four: three steps an epoch.
      const rates = [0, 1, 2, 3, 4, 5].map((step) => 0.0005 * (1 + Math.cos((Math.PI * step) / 6)));
      expect(whole.engine.learningRates).toHaveLength(6);
      for (const [step, rate] of whole.engine.learningRates.entries())
        expect(rate).toBeCloseTo(rates[step]!, 12);
      const first = await benchIn(runs, { settings });
      await first.run.run();
      const checkpoint = await first.parts.folder.readCheckpoint('last');
      const resumed = await benchIn(runs, {
        settings,
        folder: first.parts.folder,
        resumeFrom: { ...checkpoint, metadata: { ...checkpoint.metadata, epoch: 1, samplesSeen: 10 } },
      });
      await resumed.run.run();
      expect(resumed.engine.learningRates).toEqual(whole.engine.learningRates.slice(3));
    }));
});
