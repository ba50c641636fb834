import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { fakeDatasetClient } from '../../test/fake-dataset-client.ts';
import { grpcError } from '../../test/fake-worker.ts';
import { Gate, withManagers, type ManagerBenchOptions } from '../../test/manager-bench.ts';
import { DATASET, SETTINGS } from '../../test/training-fixtures.ts';
import { EngineStartError } from '../errors.ts';
import type { RunEvent } from './run-journal.ts';

const ID = 'p2ch12/2026-11-23_09.05.13-dlwpt';
type Bench = Parameters<Parameters<typeof withManagers>[0]>[1];
const lastState = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.kind === 'status' ? [event.status] : [])).at(-1);

describe('RunManager.start()', () => {
  it('trains to the end and leaves a whole run folder', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, story, engines } = managerBench(runs);
      const started = await manager.start(SETTINGS, '');
      expect(started).toEqual({ runId: ID, path: join(runs, ID) });
      const events = await story(ID);
      expect(events.filter(({ kind }) => kind === 'status')).toMatchObject([
        { status: { state: 'running' } },
        { status: { state: 'finished', message: '', bestEpoch: 1 } },
      ]);
      // Its end is told before its last line is on disk.
      await manager.stopActive();
      expect((await readdir(started.path, { recursive: true })).sort()).toEqual([
        'checkpoints',
        'checkpoints/best.safetensors',
        'checkpoints/last.safetensors',
        'epochs.jsonl',
        'log.txt',
        'predictions',
        'predictions/best.csv',
        'predictions/last.csv',
        'run.json',
        'status.json',
      ]);
      expect(JSON.parse(await readFile(join(started.path, 'run.json'), 'utf8'))).toEqual({
        runId: ID,
        startedAt: new Date(2026, 10, 23, 9, 5, 13).toISOString(),
        settings: JSON.parse(JSON.stringify(SETTINGS)) as unknown,
        datasetFingerprint: 'f00d',
        engine: { name: 'fake', device: 'a test', deviceMemoryBytes: 2 ** 31, reason: 'asked for by a test' },
        versions: {
          lunastream: expect.stringMatching(/^\d/) as string,
          node: process.versions.node,
          v8: process.versions.v8,
        },
      });
      expect(engines.map(({ isDisposed }) => isDisposed)).toEqual([true]);
    }));

  it('can be found, with its settings, as soon as it is started', () =>
    withManagers(async (runs, managerBench) => {
      const gate = new Gate();
      const { manager } = managerBench(runs, { engine: { onBatch: gate.wait } });
      await manager.start(SETTINGS, '');
      const { status: found, record } = await manager.get(ID);
      expect(['starting', 'running']).toContain(found.state);
      expect(record.settings).toEqual(JSON.parse(JSON.stringify(SETTINGS)));
    }));

  it('refuses a second run while one is active, naming it', () =>
    withManagers(async (runs, managerBench) => {
      const gate = new Gate();
      const { manager } = managerBench(runs, { engine: { onBatch: gate.wait } });
      await manager.start(SETTINGS, '');
      await expect(manager.start(SETTINGS, '')).rejects.toMatchObject({
        tag: 'TrainerBusyError',
        message: `Cannot start a run: this trainer is busy with ${ID}; stop it or wait for its end`,
      });
    }));

  it('refuses a second run while the first is starting', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, story } = managerBench(runs);
      const first = manager.start(SETTINGS, '');
      await expect(manager.start(SETTINGS, '')).rejects.toThrow('busy with a run that is starting');
      await first;
      await story(ID);
    }));

  it('takes the next run from whoever has just been told of the last one’s end', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, clock } = managerBench(runs);
      const ids: string[] = [];
      for (let count = 0; count < 3; count++) {
        const { runId } = await manager.start(SETTINGS, '');
        ids.push(runId);
        clock.advance(1000);
        for await (const event of manager.watch(runId, new AbortController().signal)) {
          if (event.kind === 'status' && event.status.state === 'finished') break;
        }
      }
      expect(new Set(ids).size).toBe(3);
      await manager.stopActive();
    }));

  const REFUSED: readonly (readonly [what: string, options: ManagerBenchOptions, message: string])[] = [
    [
      'a data set that is unknown',
      { datasets: fakeDatasetClient(DATASET, { failure: grpcError(status.NOT_FOUND, 'no such data set') }) },
      'no such data set',
    ],
    [
      'a data set without candidates',
      { dataset: { ...DATASET, candidates: [], problems: ['/d/candidates.csv:2: outside'] } },
      'got 0; /d/candidates.csv:2: outside',
    ],
    [
      'an engine that does not start',
      { startEngine: () => Promise.reject(new EngineStartError('unavailable', 'no WebAssembly here')) },
      'no WebAssembly here',
    ],
  ];

  it.each(REFUSED)('refuses %s, leaves nothing behind and is not busy', (_, options, message) =>
    withManagers(async (runs, managerBench) => {
      const { manager } = managerBench(runs, options);
      await expect(manager.start(SETTINGS, '')).rejects.toThrow(message);
      expect(await readdir(runs)).toEqual([]);
      await expect(manager.start(SETTINGS, '')).rejects.toThrow(message);
    }),
  );

  it('refuses settings before it asks for anything, and leaves nothing behind', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, engines } = managerBench(runs, REFUSED[0]![1]);
      await expect(manager.start({ ...SETTINGS, batchSize: 0 }, '')).rejects.toThrow('batch size must be');
      expect(engines).toEqual([]);
      expect(await readdir(runs)).toEqual([]);
    }));

  it('ends the engine when the folder of the run cannot be made', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, engines } = managerBench(join(runs, 'file'));
      await writeFile(join(runs, 'file'), '');
      await expect(manager.start(SETTINGS, '')).rejects.toMatchObject({ code: 'ENOTDIR' });
      expect(engines.map(({ isDisposed }) => isDisposed)).toEqual([true]);
    }));
});

describe('a run that fails', () => {
  it('says why, in its state and its folder, and frees the trainer', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, story, engines, samples } = managerBench(runs);
      samples.onSample = () => {
        throw new Error('Cannot make sample 0: scan 1.2.3 is truncated');
      };
      await manager.start(SETTINGS, '');
      const message = 'Cannot make sample 0: scan 1.2.3 is truncated';
      expect(lastState(await story(ID))).toMatchObject({ state: 'failed', message });
      expect((await manager.get(ID)).status).toMatchObject({ state: 'failed', message });
      expect(engines[0]!.isDisposed).toBe(true);
      samples.onSample = () => undefined;
      const next = await manager.start(SETTINGS, '');
      expect(lastState(await story(next.runId))).toMatchObject({ state: 'finished' });
    }));

  it('because the trainer ended during it says so, whoever asks', () =>
    withManagers(async (runs, managerBench) => {
      const gate = new Gate();
      const crashed = managerBench(runs, { engine: { onBatch: gate.wait } });
      await crashed.manager.start(SETTINGS, '');
      await gate.reached;
      // Another process over the same folder: it does not know the run.
      const { manager, story } = managerBench(runs);
      const expected = { state: 'failed', message: 'the trainer ended during the run' };
      expect((await manager.get(ID)).status).toMatchObject(expected);
      expect(lastState(await story(ID))).toMatchObject(expected);
      expect(await manager.stop(ID)).toBe('failed');
    }));
});

describe('RunManager.stop()', () => {
  it('ends the run at once, in the middle of a batch, and waits for its end', () =>
    withManagers(async (runs, managerBench) => {
      const gate = new Gate();
      const { manager, engines, story } = managerBench(runs, { engine: { onBatch: gate.wait } });
      await manager.start(SETTINGS, '');
      await gate.reached;
      expect(await manager.stop(ID)).toBe('stopped');
      expect((await manager.get(ID)).status).toMatchObject({ state: 'stopped', message: '' });
      expect(engines[0]!.isDisposed).toBe(true);
      expect(lastState(await story(ID))).toMatchObject({ state: 'stopped' });
    }));

  it('leaves a run that has ended as it is', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, story } = managerBench(runs);
      await manager.start(SETTINGS, '');
      await story(ID);
      expect(await manager.stop(ID)).toBe('finished');
      expect(await manager.stop(ID)).toBe('finished');
    }));

  it('does not know a run that never was', () =>
    withManagers(async (runs, managerBench) => {
      const { manager } = managerBench(runs);
      await expect(manager.stop('p2ch12/none')).rejects.toMatchObject({
        tag: 'RunFolderError',
        kind: 'missing',
      });
    }));
});

describe('RunManager.watch()', () => {
  it('tells of a run that has ended what it told while it ran: lines, scores, final state', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, story } = managerBench(runs);
      await manager.start({ ...SETTINGS, epochs: 2 }, '');
      const live = (await story(ID)).filter(({ kind }) => kind !== 'progress');
      await manager.stopActive();
      const later = await managerBench(runs).story(ID);
      const ofKind = (events: readonly RunEvent[], kind: RunEvent['kind']) =>
        events.filter((event) => event.kind === kind);
      for (const kind of ['line', 'scores'] as const) expect(ofKind(later, kind)).toEqual(ofKind(live, kind));
      expect(ofKind(later, 'scores')).toHaveLength(4);
      expect(later.at(-1)).toEqual(live.at(-1));
    }));

  it('ends with the reason of its signal, and the run goes on', () =>
    withManagers(async (runs, managerBench) => {
      const gate = new Gate();
      const { manager, story } = managerBench(runs, { engine: { onBatch: gate.wait } });
      await manager.start(SETTINGS, '');
      await gate.reached;
      const gone = new AbortController();
      const watching = (async () => {
        for await (const event of manager.watch(ID, gone.signal)) void event;
      })();
      gone.abort(new Error('the client went away'));
      await expect(watching).rejects.toThrow('the client went away');
      gate.open();
      expect(lastState(await story(ID))).toMatchObject({ state: 'finished' });
    }));
});

describe('resuming', () => {
  /** A run of two epochs that was stopped in its second. */
  async function stoppedRun(runs: string, managerBench: Bench): Promise<void> {
    const gate = new Gate();
    const { manager } = managerBench(runs, {
      // Batches of epoch 1: three of training, one of validation.
      engine: { onBatch: (_, index) => (index === 5 ? gate.wait() : undefined) },
    });
    await manager.start({ ...SETTINGS, epochs: 2 }, '');
    await gate.reached;
    await manager.stop(ID);
  }

  it('goes on in the run’s own folder with its own settings, up to the epochs asked for', () =>
    withManagers(async (runs, managerBench) => {
      await stoppedRun(runs, managerBench);
      const { manager, story } = managerBench(runs);
      const { runId } = await manager.start({ ...SETTINGS, epochs: 3, batchSize: 1, seed: 99 }, ID);
      expect(runId).toBe(ID);
      expect(lastState(await story(ID))).toMatchObject({ state: 'finished' });
      const { record, epochs } = await manager.get(ID);
      expect(record.settings).toMatchObject({ epochs: 3, batchSize: 4, seed: 7 });
      expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 1, 2, 2, 3, 3]);
    }));

  it('refuses when nothing is left to do, and changes nothing', () =>
    withManagers(async (runs, managerBench) => {
      await stoppedRun(runs, managerBench);
      const { manager } = managerBench(runs);
      await expect(manager.start({ ...SETTINGS, epochs: 1 }, ID)).rejects.toMatchObject({
        tag: 'RunSettingsError',
        message: `Cannot start a run: epochs must be above the 1 that run ${ID} has done, got 1`,
      });
      const { record, status: found } = await manager.get(ID);
      expect(record.settings.epochs).toBe(2);
      expect(found.state).toBe('stopped');
    }));

  it('refuses when the data set has changed', () =>
    withManagers(async (runs, managerBench) => {
      await stoppedRun(runs, managerBench);
      const { manager } = managerBench(runs, { dataset: { ...DATASET, fingerprint: 'beef' } });
      await expect(manager.start({ ...SETTINGS, epochs: 3 }, ID)).rejects.toMatchObject({
        kind: 'damaged',
        message: `Cannot resume run ${ID}: data set default must have fingerprint f00d, got beef`,
      });
    }));

  it('refuses a run that is unknown', () =>
    withManagers(async (runs, managerBench) => {
      const { manager } = managerBench(runs);
      await expect(manager.start(SETTINGS, 'p2ch12/none')).rejects.toMatchObject({ kind: 'missing' });
    }));

  it('begins anew where the run ended before its first checkpoint', () =>
    withManagers(async (runs, managerBench) => {
      await stoppedRun(runs, managerBench);
      await rm(join(runs, ID, 'checkpoints', 'last.safetensors'));
      const { manager, story } = managerBench(runs);
      expect(await manager.start({ ...SETTINGS, epochs: 1 }, ID)).toMatchObject({ runId: ID });
      const events = await story(ID);
      expect(events.at(-1)).toMatchObject({ status: { state: 'finished' } });
      expect((await manager.get(ID)).epochs.map(({ epoch }) => epoch)).toEqual([1, 1]);
    }));
});

describe('RunManager.list()', () => {
  it('gives the newest runs first, below one prefix, up to a limit', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, clock, story } = managerBench(runs);
      for (const tbPrefix of ['a', 'b', 'a']) {
        const { runId } = await manager.start({ ...SETTINGS, tbPrefix }, '');
        await story(runId);
        clock.advance(1000);
      }
      const idsOf = async (prefix: string, limit: number) =>
        (await manager.list(prefix, limit)).map(({ record }) => record.runId);
      expect(await idsOf('', 9)).toEqual([
        'a/2026-11-23_09.05.15-dlwpt',
        'b/2026-11-23_09.05.14-dlwpt',
        'a/2026-11-23_09.05.13-dlwpt',
      ]);
      expect(await idsOf('a', 9)).toEqual(['a/2026-11-23_09.05.15-dlwpt', 'a/2026-11-23_09.05.13-dlwpt']);
      expect(await idsOf('', 2)).toHaveLength(2);
      expect(await idsOf('none', 9)).toEqual([]);
    }));

  it('passes over folders that hold no run, or a damaged one', () =>
    withManagers(async (runs, managerBench) => {
      const { manager, story } = managerBench(runs);
      await manager.start(SETTINGS, '');
      await story(ID);
      await manager.stopActive();
      await mkdir(join(runs, 'notes', 'today'), { recursive: true });
      await mkdir(join(runs, '.git', 'hooks'), { recursive: true });
      const damaged = join(runs, 'p2ch12', 'damaged');
      await mkdir(damaged);
      for (const name of ['run.json', 'status.json']) await writeFile(join(damaged, name), '{}');
      await writeFile(join(damaged, 'epochs.jsonl'), 'nonsense\n');
      expect((await manager.list('', 9)).map(({ record }) => record.runId)).toEqual([ID]);
    }));
});
