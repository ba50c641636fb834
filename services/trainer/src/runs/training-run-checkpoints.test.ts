import { readPredictions, type Candidate } from '@lunastream/dataset';
import type { EpochRecord } from '@lunastream/metrics';
import { withTemporaryFolder } from '@lunastream/testing';
import { xyzMm } from '@lunastream/volume';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FakeEngineOptions } from '../../test/fake-engine.ts';
import { benchIn, linesOf, MOSTLY_RIGHT, PLAIN, scoresOf } from '../../test/run-bench.ts';
import { CANDIDATES, SETTINGS } from '../../test/training-fixtures.ts';

describe('checkpoints', () => {
  const oneBatch = { ...PLAIN, batchSize: 10 };
  // One nodule is not enough for scores to differ, so a data set with two nodules and three others to validate on.
  const nodules = [60, 20];
  const others = [-10, -20, -30];
  const validation = [...nodules, ...others].map((x, index): Candidate => ({
    ...CANDIDATES[index]!,
    centerXyzMm: xyzMm(x, 0, 0),
    isNodule: x > 0,
  }));
  const split = { training: CANDIDATES.slice(0, 10), validation, sharedSeriesCount: 0 };
  /** P(nodule) of the five, in three epochs. */
  const EPOCHS = [
    // Finds one of two, nothing wrong: precision 1, recall .5, f1 .667, f2 .556; ranks all nodules first: AUC 1.
    [0.9, 0.4, 0.3, 0.2, 0.1],
    // Finds both and one wrong: precision .667, recall 1, f1 .8, f2 .909; the wrong one ranks first: AUC .667.
    [0.8, 0.7, 0.9, 0.2, 0.1],
    // Finds both, nothing right of the others but one: precision .5, recall 1, f1 .667, f2 .833.
    [0.8, 0.7, 0.9, 0.6, 0.1],
  ];

  it.each([
    ['f1', 2],
    ['f2', 2],
    ['recall', 2],
    ['auc', 1],
  ] as const)('the best one is chosen by %s: epoch %i', (score, expected) =>
    withTemporaryFolder(async (runs) => {
      let epoch = -1;
      const { run, parts, events } = await benchIn(runs, {
        settings: { ...oneBatch, epochs: 3, score },
        split,
        engine: {
          onBatch: ({ kind }) => void (epoch += kind === 'train' ? 1 : 0),
          predict: (hu) => EPOCHS[epoch]![[...nodules, ...others].indexOf(hu)] ?? 0.5,
        },
      });
      expect((await run.run()).bestEpoch).toBe(expected);
      expect((await parts.folder.readCheckpoint('best')).metadata.epoch).toBe(expected);
      expect((await parts.folder.readCheckpoint('last')).metadata.epoch).toBe(3);
      expect(linesOf(events).at(-1)).toMatch(
        new RegExp(`^INFO     Best ${score} [01]\\.\\d{4} in epoch ${expected}$`),
      );
    }),
  );

  it('never are best where the score is undefined or the model diverged', () =>
    withTemporaryFolder(async (runs) => {
      let epoch = -1;
      // Of the nodule and the other that validate; the second epoch would have a perfect score without its NaN.
      const diverging = [
        [NaN, NaN],
        [0.9, NaN],
        [0.6, 0.7],
      ];
      const { run, parts, events } = await benchIn(runs, {
        settings: { ...oneBatch, epochs: 3 },
        engine: {
          onBatch: ({ kind }) => void (epoch += kind === 'train' ? 1 : 0),
          predict: (hu) => diverging[epoch]![hu > 0 ? 0 : 1]!,
        },
      });
      await run.run();
      expect(run.bestEpoch).toBe(3);
      expect((await parts.folder.readCheckpoint('best')).metadata.epoch).toBe(3);
      expect(linesOf(events)).toContain(
        'WARNING  E1 val: 2 of 2 probabilities are not finite and are in no score: the model has diverged',
      );
    }));

  it('say so when there is no best one', () =>
    withTemporaryFolder(async (runs) => {
      const { run, parts, events } = await benchIn(runs, { engine: { predict: () => NaN } });
      expect((await run.run()).bestEpoch).toBe(0);
      expect(linesOf(events).at(-1)).toBe('INFO     No best epoch: f1 was undefined in every validation');
      await expect(parts.folder.readCheckpoint('best')).rejects.toMatchObject({ kind: 'missing' });
    }));

  it('hold model, optimizer, epoch, samples, seed and settings', () =>
    withTemporaryFolder(async (runs) => {
      const { run, parts, engine } = await benchIn(runs, { settings: { ...PLAIN, epochs: 2 } });
      await run.run();
      const { state, metadata } = await parts.folder.readCheckpoint('last');
      expect(state).toEqual(await engine.exportState());
      expect(metadata).toEqual({
        epoch: 2,
        samplesSeen: 20,
        runSeed: 7,
        settings: JSON.parse(JSON.stringify(parts.settings)) as unknown,
      });
    }));
});

describe('a resumed run', () => {
  const settings = { ...SETTINGS, epochs: 4, ratio: 1, epochLength: 12 };

  it('gives the same records and the same model as one that was never interrupted', () =>
    withTemporaryFolder(async (runs) => {
      const whole = await benchIn(runs, { settings });
      await whole.run.run();

      // Interrupted in the third epoch, of three training batches and one to validate: one is trained and must not count.
      const first = await benchIn(runs, {
        settings,
        engine: { onBatch: (_, index) => (index === 9 ? first.stop.abort(new Error('stopped')) : undefined) },
      });
      await expect(first.run.run()).rejects.toThrow('stopped');
      const { folder } = first.parts;
      // As after a crash between the records of epoch 3 and its checkpoint.
      await folder.appendEpochs([{ epoch: 3, split: 'trn' } as EpochRecord]);

      const second = await benchIn(runs, {
        settings,
        folder,
        resumeFrom: await folder.readCheckpoint('last'),
      });
      const outcome = await second.run.run();
      expect(await folder.readEpochs()).toEqual(await whole.parts.folder.readEpochs());
      expect(await second.engine.exportState()).toEqual(await whole.engine.exportState());
      expect(outcome.bestEpoch).toBe(whole.run.bestEpoch);
      expect(second.samples.plans.map(({ epoch }) => epoch)).toEqual([3, 3, 4, 4]);
      expect(linesOf(second.events)).toContain('INFO     Resumed after epoch 2 of 4, 24 samples seen');
      // Who watches the second part sees the scores of the first.
      expect(scoresOf(second.events)).toEqual(await whole.parts.folder.readEpochs());
    }));

  it('is what it would have been wherever it was interrupted, with checkpoints after any number of batches', () =>
    withTemporaryFolder(async (runs) => {
      const short = { ...settings, epochs: 2, epochLength: 10 };
      const whole = await benchIn(runs, { settings: short });
      await whole.run.run();
      const batches = whole.engine.batches.length;
      for (const checkpointBatches of [0, 1, 2]) {
        for (let interruptedAt = 0; interruptedAt < batches; interruptedAt++) {
          const first = await benchIn(runs, {
            settings: { ...short, checkpointBatches },
            engine: {
              onBatch: (_, index) =>
                index === interruptedAt ? first.stop.abort(new Error('stopped')) : undefined,
            },
          });
          await expect(first.run.run()).rejects.toThrow('stopped');
          const { folder } = first.parts;
          const resumeFrom = await folder.readCheckpoint('last').catch(() => undefined);
          const second = await benchIn(runs, {
            settings: { ...short, checkpointBatches },
            folder,
            resumeFrom,
          });
          await second.run.run();
          const place = `every ${checkpointBatches}, interrupted at ${interruptedAt}`;
          expect(await folder.readEpochs(), place).toEqual(await whole.parts.folder.readEpochs());
          expect(await second.engine.exportState(), place).toEqual(await whole.engine.exportState());
          const repeated = first.engine.batches.length + second.engine.batches.length - batches;
          // Three training batches an epoch: at most those since the last checkpoint, and the interrupted one.
          if (checkpointBatches === 1) expect(repeated, place).toBeLessThanOrEqual(2);
        }
      }
    }));

  it('says where in an epoch it goes on', () =>
    withTemporaryFolder(async (runs) => {
      const within = { ...settings, checkpointBatches: 1 };
      const first = await benchIn(runs, {
        settings: within,
        engine: { onBatch: (_, index) => (index === 6 ? first.stop.abort(new Error('stopped')) : undefined) },
      });
      await expect(first.run.run()).rejects.toThrow('stopped');
      const { folder } = first.parts;
      const resumeFrom = await folder.readCheckpoint('last');
      expect(resumeFrom.metadata).toMatchObject({ epoch: 1, samplesSeen: 20 });
      const second = await benchIn(runs, { settings: within, folder, resumeFrom });
      await second.run.run();
      expect(linesOf(second.events)).toContain(
        'INFO     Resumed after epoch 1 of 4, in epoch 2 after 8 samples, 20 samples seen',
      );
      // Nothing that is trained is made again.
      expect(second.samples.made[0]).toEqual([8, 9, 10, 11]);
    }));

  it('keeps the best epoch of before when no later one beats it', () =>
    withTemporaryFolder(async (runs) => {
      const engine: FakeEngineOptions = { predict: MOSTLY_RIGHT };
      const first = await benchIn(runs, { settings: { ...settings, epochs: 1 }, engine });
      await first.run.run();
      const { folder } = first.parts;
      const resumeFrom = await folder.readCheckpoint('last');
      const second = await benchIn(runs, {
        settings: { ...settings, epochs: 2 },
        folder,
        resumeFrom,
        engine: { predict: () => 0.9 },
      });
      expect((await second.run.run()).bestEpoch).toBe(1);
      expect((await folder.readCheckpoint('best')).metadata.epoch).toBe(1);
    }));
});

describe('validation', () => {
  it('comes in the first epoch, as often as the cadence says, and in the last', () =>
    withTemporaryFolder(async (runs) => {
      const settings = { ...PLAIN, epochs: 8, validationCadence: 3 };
      const { run, parts, events } = await benchIn(runs, { settings });
      await run.run();
      const records = await parts.folder.readEpochs();
      const epochsOf = (split: string) => records.flatMap((r) => (r.split === split ? [r.epoch] : []));
      expect(epochsOf('trn')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      expect(epochsOf('val')).toEqual([1, 3, 6, 8]);
      expect(linesOf(events)).toContain('INFO     Epoch 2 of 8, 3/0 batches of size 4*1');
      expect((await parts.folder.readCheckpoint('last')).metadata.epoch).toBe(8);
    }));

  const settings = { ...PLAIN, epochs: 9, earlyStop: 2 };
  /** Right in the third epoch, wrong in all others. */
  const bestInThird = (onEpoch: (epoch: number) => void = () => undefined): FakeEngineOptions => {
    let epoch = 0;
    let previous = 'evaluate';
    return {
      onBatch: ({ kind }) => {
        if (kind === 'train' && previous === 'evaluate') onEpoch(++epoch);
        previous = kind;
      },
      predict: (hu) => (epoch === 3 ? MOSTLY_RIGHT(hu) : 0.9),
    };
  };

  it('ends the run when the score has not been better for long enough', () =>
    withTemporaryFolder(async (runs) => {
      const { run, parts, events } = await benchIn(runs, { settings, engine: bestInThird() });
      expect((await run.run()).bestEpoch).toBe(3);
      expect((await parts.folder.readEpochs()).at(-1)).toMatchObject({ epoch: 5, split: 'val' });
      expect(linesOf(events).slice(-2)).toEqual([
        'INFO     Stopped early after epoch 5 of 9: f1 was not better in 2 validations',
        'INFO     Best f1 1.0000 in epoch 3',
      ]);
    }));

  it('counts over an interruption', () =>
    withTemporaryFolder(async (runs) => {
      const first = await benchIn(runs, {
        settings,
        engine: bestInThird((epoch) => {
          if (epoch === 5) first.stop.abort(new Error('stopped'));
        }),
      });
      await expect(first.run.run()).rejects.toThrow('stopped');
      const { folder } = first.parts;
      const resumeFrom = await folder.readCheckpoint('last');
      const second = await benchIn(runs, { settings, folder, resumeFrom, engine: { predict: () => 0.9 } });
      await second.run.run();
      expect((await folder.readEpochs()).at(-1)).toMatchObject({ epoch: 5, split: 'val' });
    }));
});

describe('predictions', () => {
  it('of every validation candidate are kept for the last epoch and the best one', () =>
    withTemporaryFolder(async (runs) => {
      let epoch = 0;
      const { run, parts } = await benchIn(runs, {
        settings: { ...PLAIN, batchSize: 10, epochs: 2 },
        engine: {
          onBatch: ({ kind }) => void (epoch += kind === 'train' ? 1 : 0),
          predict: (hu) => (epoch === 1 ? MOSTLY_RIGHT(hu) : 0.5),
        },
      });
      expect((await run.run()).bestEpoch).toBe(1);
      const read = (name: string) => readPredictions(join(parts.folder.path, 'predictions', `${name}.csv`));
      const [best, last] = [await read('best'), await read('last')];
      const validated = [CANDIDATES[0]!, CANDIDATES[10]!];
      expect(best.map(({ centerXyzMm }) => centerXyzMm)).toEqual(validated.map((c) => c.centerXyzMm));
      expect(best.map(({ isNodule }) => isNodule)).toEqual([true, false]);
      expect(best.map(({ probability }) => Math.fround(probability))).toEqual([0.8, 0.3].map(Math.fround));
      expect(last.map(({ probability }) => probability)).toEqual([0.5, 0.5]);
      expect(last[0]!.loss).toBeCloseTo(Math.LN2, 6);
    }));
});
