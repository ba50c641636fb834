import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readEvents, type EventValue, type ReadEvent } from '@lunastream/tensorboard';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { benchIn, linesOf, PLAIN } from '../../test/run-bench.ts';
import { FakeClock } from '../../test/fake-clock.ts';
import { RunFolder } from './run-folder.ts';
import { TensorboardLog, type TensorboardLogOptions } from './tensorboard-log.ts';

const NAMES = { trn: '2026-11-23_09.05.13-trn_cls-dlwpt', val: '2026-11-23_09.05.13-val_cls-dlwpt' };

/** Runs two epochs of the fake engine in `runs`, written for TensorBoard; the events of both splits. */
async function runFor(runs: string, options: Partial<TensorboardLogOptions> = {}) {
  const clock = new FakeClock();
  const settings = { ...PLAIN, epochs: 2 };
  const folder = await RunFolder.create(runs, { ...settings, startedAt: clock.now() });
  const warnings: string[] = [];
  const tensorboard = await TensorboardLog.open({
    ...{ folder, clock, hostname: 'here', sample: 1, classNames: { negative: 'neg', positive: 'pos' } },
    warn: (sentence: string) => warnings.push(sentence),
    ...options,
  });
  const bench = await benchIn(runs, { settings, folder, tensorboard });
  await bench.run.run();
  const read = async (split: 'trn' | 'val'): Promise<ReadEvent[]> => {
    const path = join(folder.path, 'tensorboard', NAMES[split]);
    const [name] = await readdir(path);
    return readEvents(await readFile(join(path, name!)));
  };
  return { bench, folder, warnings, read };
}

const valuesAt = (events: readonly ReadEvent[], step: number): EventValue[] =>
  events.filter((event) => event.step === step).flatMap(({ values }) => values);
const tagsOf = (values: readonly EventValue[]) => values.map(({ kind, tag }) => `${kind} ${tag}`);

const SCALARS = [
  ...['loss/all', 'loss/neg', 'loss/pos', 'correct/all', 'correct/neg', 'correct/pos'],
  ...['pr/precision', 'pr/recall', 'pr/f1_score'],
];

describe('a run with TensorBoard', () => {
  it('leaves the chapter’s tags of both splits, by samples seen, with weights and gradients', () =>
    withTemporaryFolder(async (runs) => {
      const { read, bench, warnings } = await runFor(runs);
      const records = await bench.parts.folder.readEpochs();
      const steps = [...new Set(records.map((record) => record.samples_seen))];
      expect(steps).toHaveLength(2);
      for (const split of ['trn', 'val'] as const) {
        const events = await read(split);
        expect([...new Set(events.map(({ step }) => step))]).toEqual([0, ...steps]);
        const values = valuesAt(events, steps[1]!);
        expect(tagsOf(values).slice(0, 10)).toEqual([...SCALARS.map((tag) => `scalar ${tag}`), 'tensor pr']);
        const record = records.find((each) => each.epoch === 2 && each.split === split)!;
        const scalars = Object.fromEntries(
          values.flatMap((value) => (value.kind === 'scalar' ? [[value.tag, value.value]] : [])),
        ) as Record<string, number>;
        expect(scalars['loss/all']).toBeCloseTo(record.loss_all!, 6);
        expect(scalars['correct/all']).toBeCloseTo(
          (100 * (record.tp + record.tn)) / (record.tp + record.tn + record.fp + record.fn),
          4,
        );
        if (record.precision === null) expect(scalars['pr/precision']).toBeNaN();
        else expect(scalars['pr/precision']).toBeCloseTo(record.precision, 6);
      }
      expect(warnings).toEqual([]);
    }));

  it('shows weights and gradients of every parameter as they are', () =>
    withTemporaryFolder(async (runs) => {
      const { read, bench } = await runFor(runs);
      const histograms = new Map(
        valuesAt(await read('trn'), (await bench.parts.folder.readEpochs()).at(-1)!.samples_seen).flatMap(
          (value) => (value.kind === 'histogram' ? [[value.tag, value.histogram]] : []),
        ),
      );
      const weight = (await bench.engine.exportState())[0]!.values;
      const gradient = (await bench.engine.exportGradients())[0]!.values;
      expect(gradient[0]).not.toBe(0);
      expect(histograms.get('weights/layer.weight')).toMatchObject({
        num: 1,
        sum: weight[0],
        min: weight[0],
      });
      expect(histograms.get('gradients/layer.weight')).toMatchObject({ num: 1, sum: gradient[0] });
    }));

  it('shows the activations of the chosen validation sample after every validation', () =>
    withTemporaryFolder(async (runs) => {
      const { read, bench } = await runFor(runs);
      const steps = (await bench.parts.folder.readEpochs()).map((record) => record.samples_seen);
      for (const step of steps) {
        const values = valuesAt(await read('val'), step);
        const histogram = values.find(({ tag, kind }) => tag === 'activations/input' && kind === 'histogram');
        // The fake layer is the sample's first voxel: its centre's x.
        const x = bench.parts.split.validation[1]!.centerXyzMm[0];
        expect(histogram).toMatchObject({ histogram: { num: 1, sum: x } });
        expect(tagsOf(values)).toContain('image activations/input');
      }
      expect(tagsOf(valuesAt(await read('trn'), steps[0]!)).join()).not.toContain('activations');
    }));

  it('makes no difference to the run', () =>
    withTemporaryFolder(async (runs) => {
      const { bench } = await runFor(runs);
      const plain = await benchIn(runs, { settings: { ...PLAIN, epochs: 2 } });
      await plain.run.run();
      expect(await bench.parts.folder.readEpochs()).toEqual(await plain.parts.folder.readEpochs());
      expect(linesOf(bench.events)).toEqual(linesOf(plain.events));
    }));

  it('tells TensorBoard to forget what a resumed run does anew', () =>
    withTemporaryFolder(async (runs) => {
      const { read } = await runFor(runs, { resumedAt: 40 });
      expect((await read('trn'))[1]).toMatchObject({ step: 41, sessionStatus: 1 });
    }));

  it('goes on with a warning where it cannot write', () =>
    withTemporaryFolder(async (runs) => {
      const clock = new FakeClock();
      const folder = await RunFolder.create(runs, { ...PLAIN, startedAt: clock.now() });
      await writeFile(join(folder.path, 'tensorboard'), 'no folder');
      const warnings: string[] = [];
      const options = {
        folder,
        clock,
        hostname: 'here',
        sample: undefined,
        classNames: { negative: 'ben', positive: 'mal' },
        warn: (text: string) => void warnings.push(text),
      };
      expect(await TensorboardLog.open(options)).toBeUndefined();
      await rm(join(folder.path, 'tensorboard'));
      const tensorboard = (await TensorboardLog.open(options))!;
      await rm(join(folder.path, 'tensorboard'), { recursive: true });
      const { run } = await benchIn(runs, { folder, tensorboard });
      await run.run();
      expect(warnings).toHaveLength(2);
      for (const warning of warnings) expect(warning).toMatch(/^Cannot write for TensorBoard: E[A-Z]+/);
      expect(await folder.readEpochs()).toHaveLength(2);
    }));
});
