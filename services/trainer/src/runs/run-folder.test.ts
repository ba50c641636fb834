import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '@lunastream/engine';
import type { EpochRecord } from '@lunastream/metrics';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../test/training-fixtures.ts';
import { RunFolderError } from '../errors.ts';
import { RunFolder, type RunRecord } from './run-folder.ts';
import type { RunStatus } from './run-journal.ts';

const STARTED_AT = new Date(2026, 10, 23, 9, 5, 13);
const NAMING = { tbPrefix: 'p2ch12', comment: 'dlwpt', startedAt: STARTED_AT };
const STATUS: RunStatus = { state: 'running', message: '', bestEpoch: 2, stallFraction: 0.25 };
const CHECKPOINT: Checkpoint = {
  state: [{ name: 'weight', shape: [2], values: Float32Array.of(1.5, -2) }],
  metadata: { epoch: 3, samplesSeen: 120, runSeed: 7, settings: { comment: 'dlwpt' } },
};

const recordOf = (runId: string): RunRecord => ({
  runId,
  startedAt: STARTED_AT.toISOString(),
  settings: SETTINGS,
  datasetFingerprint: 'f00d',
  engine: { name: 'fake', device: 'a test', reason: 'asked for' },
  versions: { lunastream: '0.1.0' },
});
const epochRecord = (epoch: number, split: 'trn' | 'val' = 'val') => ({ epoch, split }) as EpochRecord;

/** A run below `runs` that can be opened again. */
async function createRun(runs: string, naming = NAMING): Promise<RunFolder> {
  const folder = await RunFolder.create(runs, naming);
  await folder.writeRecord(recordOf(folder.runId));
  return folder;
}

describe('RunFolder.create()', () => {
  it('names the folder by prefix, local time and comment, as the chapter does', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await RunFolder.create(runs, NAMING);
      expect(folder.runId).toBe('p2ch12/2026-11-23_09.05.13-dlwpt');
      expect(folder.path).toBe(join(runs, 'p2ch12', '2026-11-23_09.05.13-dlwpt'));
      expect(await readdir(folder.path)).toEqual(['checkpoints']);
    }));

  it('adds a number where the name is taken', () =>
    withTemporaryFolder(async (runs) => {
      const folders = await Promise.all([1, 2, 3].map(() => RunFolder.create(runs, NAMING)));
      expect(folders.map(({ runId }) => runId).sort()).toEqual([
        'p2ch12/2026-11-23_09.05.13-dlwpt',
        'p2ch12/2026-11-23_09.05.13-dlwpt-2',
        'p2ch12/2026-11-23_09.05.13-dlwpt-3',
      ]);
    }));

  it('rejects when it cannot make folders there', () =>
    withTemporaryFolder(async (runs) => {
      const file = join(runs, 'file');
      await writeFile(file, '');
      await expect(RunFolder.create(file, NAMING)).rejects.toMatchObject({ code: 'ENOTDIR' });
    }));
});

describe('RunFolder.open()', () => {
  it('finds what create() made', () =>
    withTemporaryFolder(async (runs) => {
      const { runId, path } = await createRun(runs);
      const found = await RunFolder.open(runs, runId);
      expect(found).toMatchObject({ runId, path });
      expect(await found.readRecord()).toEqual(JSON.parse(JSON.stringify(recordOf(runId))));
    }));

  it.each([
    '../p2ch12',
    'p2ch12/..',
    'p2ch12/../../etc',
    '/etc/passwd',
    'p2ch12',
    'p2ch12/a/b',
    'p2ch12\\a',
    '',
    './a',
    'p2ch12/a\0',
  ])('refuses %j, which names no run below the runs folder', (runId) =>
    withTemporaryFolder(async (outer) => {
      // Readable if the id were followed.
      await writeFile(join(outer, 'run.json'), '{}');
      const runs = join(outer, 'runs');
      await mkdir(join(runs, 'p2ch12'), { recursive: true });
      await writeFile(join(runs, 'p2ch12', 'run.json'), '{}');
      const opening = RunFolder.open(runs, runId);
      await expect(opening).rejects.toThrow(RunFolderError);
      await expect(opening).rejects.toMatchObject({
        kind: 'missing',
        message: `Cannot find run '${runId}': a run is named <prefix>/<time>-<comment>`,
      });
    }),
  );

  it('says which file is missing, or is not JSON', () =>
    withTemporaryFolder(async (runs) => {
      const path = join(runs, 'p2ch12', 'lost', 'run.json');
      await expect(RunFolder.open(runs, 'p2ch12/lost')).rejects.toMatchObject({
        kind: 'missing',
        message: `Cannot find run 'p2ch12/lost': there is no ${path}`,
      });
      await mkdir(join(runs, 'p2ch12', 'lost'), { recursive: true });
      await writeFile(path, '{"runId": ');
      await expect(RunFolder.open(runs, 'p2ch12/lost')).rejects.toMatchObject({
        kind: 'damaged',
        message: `Cannot read run 'p2ch12/lost': ${path} is not JSON`,
      });
    }));
});

describe('RunFolder.list()', () => {
  it('gives the ids of all prefixes, newest first', () =>
    withTemporaryFolder(async (runs) => {
      const at = (second: number) => ({ ...NAMING, startedAt: new Date(2026, 10, 23, 9, 5, second) });
      await RunFolder.create(runs, at(2));
      await RunFolder.create(runs, { ...at(3), tbPrefix: 'other' });
      await RunFolder.create(runs, at(1));
      await RunFolder.create(runs, at(3));
      await RunFolder.create(runs, at(2));
      await writeFile(join(runs, 'notes.txt'), '');
      expect((await RunFolder.list(runs)).sort(() => 0)).toHaveLength(5);
      const ids = await RunFolder.list(runs);
      expect(new Set(ids.slice(0, 2))).toEqual(
        new Set(['other/2026-11-23_09.05.03-dlwpt', 'p2ch12/2026-11-23_09.05.03-dlwpt']),
      );
      expect(ids.slice(2)).toEqual([
        'p2ch12/2026-11-23_09.05.02-dlwpt-2',
        'p2ch12/2026-11-23_09.05.02-dlwpt',
        'p2ch12/2026-11-23_09.05.01-dlwpt',
      ]);
    }));

  it('is empty while there is no runs folder', () =>
    withTemporaryFolder(async (folder) => {
      expect(await RunFolder.list(join(folder, 'none'))).toEqual([]);
    }));
});

describe('a run folder keeps', () => {
  it('its status, whole: the new file takes the place of the old one', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await createRun(runs);
      await folder.writeStatus(STATUS);
      await folder.writeStatus({ ...STATUS, state: 'finished' });
      expect(await folder.readStatus()).toEqual({ ...STATUS, state: 'finished' });
      // Nothing half-written stays beside it.
      expect((await readdir(folder.path)).sort()).toEqual(['checkpoints', 'run.json', 'status.json']);
    }));

  it('the old status when a writer died while it wrote the new one', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await createRun(runs);
      await folder.writeStatus(STATUS);
      await writeFile(join(folder.path, 'status.json.new'), '{"state": "fin');
      expect(await folder.readStatus()).toEqual(STATUS);
    }));

  it('records of epochs, a line of JSON each', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await createRun(runs);
      expect(await folder.readEpochs()).toEqual([]);
      await folder.appendEpochs([epochRecord(1, 'trn'), epochRecord(1)]);
      await folder.appendEpochs([epochRecord(2, 'trn'), epochRecord(2)]);
      expect(await readFile(join(folder.path, 'epochs.jsonl'), 'utf8')).toBe(
        '{"epoch":1,"split":"trn"}\n{"epoch":1,"split":"val"}\n{"epoch":2,"split":"trn"}\n{"epoch":2,"split":"val"}\n',
      );
      expect((await folder.readEpochs()).map(({ epoch, split }) => `${epoch} ${split}`)).toEqual([
        '1 trn',
        '1 val',
        '2 trn',
        '2 val',
      ]);
    }));

  it('no last record that a crash cut short, also not after truncateEpochs()', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await createRun(runs);
      await folder.appendEpochs([epochRecord(1)]);
      await appendFile(join(folder.path, 'epochs.jsonl'), '{"epoch":2,"spl');
      expect(await folder.readEpochs()).toEqual([epochRecord(1)]);
      await folder.truncateEpochs(2);
      await folder.appendEpochs([epochRecord(2)]);
      expect(await folder.readEpochs()).toEqual([epochRecord(1), epochRecord(2)]);
    }));

  it('no records after the epoch of truncateEpochs()', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await createRun(runs);
      await folder.appendEpochs([1, 2, 3].map((epoch) => epochRecord(epoch)));
      await folder.truncateEpochs(2);
      expect(await folder.readEpochs()).toEqual([epochRecord(1), epochRecord(2)]);
    }));

  it('an eye on damage in the middle of epochs.jsonl: it names the line', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await createRun(runs);
      const path = join(folder.path, 'epochs.jsonl');
      await writeFile(path, '{"epoch":1}\nnonsense\n{"epoch":2}\n');
      await expect(folder.readEpochs()).rejects.toMatchObject({
        tag: 'RunFolderError',
        kind: 'damaged',
        message: `Cannot read run '${folder.runId}': ${path}:2 is not JSON`,
      });
    }));

  it('log lines as the chapter prints them, and reads them back', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await createRun(runs);
      expect(await folder.readLog()).toEqual([]);
      const lines = [
        { time: new Date(2026, 10, 23, 9, 5, 13, 42), level: 'INFO', text: 'E1 LunaTrainingApp' },
        { time: new Date(2026, 10, 23, 9, 5, 14, 0), level: 'WARNING', text: 'E1 Training ----/4, starting' },
      ] as const;
      for (const line of lines) await folder.appendLog(line);
      const path = join(folder.path, 'log.txt');
      expect(await readFile(path, 'utf8')).toBe(
        '2026-11-23 09:05:13,042 INFO     E1 LunaTrainingApp\n' +
          '2026-11-23 09:05:14,000 WARNING  E1 Training ----/4, starting\n',
      );
      await appendFile(path, 'not ours\n2026-11-23 09:05:15,000 INFO     cut sho');
      expect(await folder.readLog()).toEqual(lines);
    }));

  it('its checkpoints', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await createRun(runs);
      await folder.writeCheckpoint('last', CHECKPOINT);
      expect(await folder.readCheckpoint('last')).toEqual(CHECKPOINT);
      expect(await readdir(join(folder.path, 'checkpoints'))).toEqual(['last.safetensors']);
    }));

  it('no secret of a checkpoint that is missing or damaged', () =>
    withTemporaryFolder(async (runs) => {
      const folder = await createRun(runs);
      const path = join(folder.path, 'checkpoints', 'last.safetensors');
      await expect(folder.readCheckpoint('last')).rejects.toMatchObject({
        kind: 'missing',
        message: `Cannot resume run ${folder.runId}: it has no checkpoint ${path}`,
      });
      await folder.writeCheckpoint('last', CHECKPOINT);
      await writeFile(path, (await readFile(path)).subarray(0, -1));
      await expect(folder.readCheckpoint('last')).rejects.toMatchObject({
        kind: 'damaged',
        message: expect.stringContaining(`${path}: Cannot read checkpoint`) as string,
      });
    }));
});
