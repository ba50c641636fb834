import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEvents } from '@lunastream/tensorboard';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { jsonEvents, lunastream, onlyRun, readEpochs, startLunastream } from '../src/lunastream.ts';
import { isAlive } from '../src/process-run.ts';
import { makeSmallDataset, SMALL_RUN } from '../src/small-dataset.ts';

/** What `lunastream up --json` prints. */
interface Stack {
  readonly trainer: string;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

/** The counts of a line of epochs.jsonl. */
interface ScoredEpoch {
  readonly epoch: number;
  readonly split: 'trn' | 'val';
  readonly samples_seen: number;
  readonly tp: number;
  readonly fp: number;
  readonly tn: number;
  readonly fn: number;
}

/** What a run's event files hold of a split, in order; checksums are checked. */
async function tensorboardValues(
  run: string,
  split: string,
): Promise<{ readonly step: number; readonly tag: string }[]> {
  const folders = await readdir(join(run, 'tensorboard'));
  const name = folders.find((each) => each.includes(`-${split}_cls-`))!;
  const files = (await readdir(join(run, 'tensorboard', name))).sort();
  const contents = await Promise.all(files.map((file) => readFile(join(run, 'tensorboard', name, file))));
  return contents.flatMap(readEvents).flatMap(({ step, values }) => values.map(({ tag }) => ({ step, tag })));
}

let folder: string;
let data: string;
/** epochs.jsonl of two epochs with two workers: what every other way to run them must give. */
let expectedEpochs: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-training-'));
  data = await makeSmallDataset(join(folder, 'data'));
  const { code, stderr } = await lunastream(
    folder,
    ...['train', '--data', data, ...SMALL_RUN, '--epochs', '2', '--out', 'plain', '--quiet'],
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expectedEpochs = await readEpochs(await onlyRun(join(folder, 'plain')));
});

afterAll(() => rm(folder, { recursive: true }));

describe('lunastream train', () => {
  it('leaves settings, scores, log and checkpoints in the run folder', async () => {
    const run = await onlyRun(join(folder, 'plain'));
    expect((await readdir(run)).sort()).toEqual([
      'checkpoints',
      'epochs.jsonl',
      'log.txt',
      'predictions',
      'run.json',
      'status.json',
    ]);
    expect((await readdir(join(run, 'checkpoints'))).sort()).toEqual([
      'best.safetensors',
      'last.safetensors',
    ]);
    const record = JSON.parse(await readFile(join(run, 'run.json'), 'utf8')) as Record<string, unknown>;
    expect(record).toMatchObject({ settings: { seed: 5, epochs: 2, ratio: 1, batchSize: 8 } });
    expect(JSON.parse(await readFile(join(run, 'status.json'), 'utf8'))).toMatchObject({ state: 'finished' });
  });

  it('scores every sample of an epoch exactly once, training balanced and validation not', () => {
    const records = expectedEpochs
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as ScoredEpoch);
    expect(records.map(({ epoch, split, samples_seen: seen }) => [epoch, split, seen])).toEqual([
      [1, 'trn', 24],
      [1, 'val', 24],
      [2, 'trn', 48],
      [2, 'val', 48],
    ]);
    for (const { split, tp, fp, tn, fn } of records) {
      // Every tenth of four patients is one: a scan of three nodules and nine negatives validates.
      expect([tp + fn, fp + tn]).toEqual(split === 'trn' ? [12, 12] : [3, 9]);
    }
  });

  it('gives equal epochs on one worker and on three', async () => {
    for (const workers of ['1', '3']) {
      const out = `workers-${workers}`;
      const { code } = await lunastream(
        folder,
        ...[
          'train',
          '--data',
          data,
          ...SMALL_RUN,
          '--epochs',
          '2',
          '--out',
          out,
          '--state',
          `${out}-state`,
          '--quiet',
        ],
        ...['--workers', workers],
      );
      expect(code).toBe(0);
      expect(await readEpochs(await onlyRun(join(folder, out)))).toBe(expectedEpochs);
    }
  });

  it('gives equal epochs and weights with --local-augment, which starts a trainer alone', async () => {
    const { code, stderr } = await lunastream(
      folder,
      ...['train', '--data', data, ...SMALL_RUN, '--epochs', '2', '--out', 'local', '--state', 'local-state'],
      ...['--local-augment', '--quiet'],
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(await readdir(join(folder, 'local-state/logs'))).toEqual(['trainer.log']);
    const [streamed, local] = await Promise.all(['plain', 'local'].map((out) => onlyRun(join(folder, out))));
    expect(await readEpochs(local!)).toBe(expectedEpochs);
    expect(await stateHashOf(local!)).toBe(await stateHashOf(streamed!));
  });

  it('resumes after an epoch as if it had never stopped', async () => {
    const common = ['--data', data, '--state', 'resumed', '--quiet'];
    const first = [
      'train',
      ...common,
      ...SMALL_RUN,
      '--epochs',
      '1',
      '--out',
      'resumed-runs',
      '--tensorboard',
    ];
    expect((await lunastream(folder, ...first)).code).toBe(0);
    const run = await onlyRun(join(folder, 'resumed-runs'));
    const second = await lunastream(folder, 'train', ...common, '--resume', run, '--epochs', '2');
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(await readEpochs(run)).toBe(expectedEpochs);
    // TensorBoard's files are those of a whole run too: one of each start, the second going on.
    for (const [split, group] of [
      ['trn', 'gradients/block1.conv1.weight'],
      ['val', 'activations/block4'],
    ] as const) {
      const values = await tensorboardValues(run, split);
      for (const tag of ['loss/all', 'pr/f1_score', 'pr', group]) {
        expect(values.filter((value) => value.tag === tag).map(({ step }) => step)).toEqual(
          tag === 'activations/block4' ? [24, 24, 48, 48] : [24, 48],
        );
      }
    }
  });

  it('writes an event per line with --json', async () => {
    const finished = await lunastream(
      folder,
      ...[
        'train',
        '--data',
        data,
        ...SMALL_RUN,
        '--epochs',
        '1',
        '--out',
        'json',
        '--state',
        'json-state',
        '--json',
      ],
    );
    expect(finished.code).toBe(0);
    const events = jsonEvents(finished);
    expect(new Set(events.map(({ event }) => event))).toEqual(
      new Set(['status', 'logLine', 'progress', 'scores', 'closed']),
    );
    expect(events.filter(({ event }) => event === 'scores').map(({ split }) => split)).toEqual([
      'trn',
      'val',
    ]);
    expect(events.at(-1)).toEqual({ event: 'closed', runFolder: await onlyRun(join(folder, 'json')) });
  });

  it.skipIf(process.platform !== 'linux')(
    'ends every process on Ctrl-C, with code 130, and goes on later where it stopped',
    async () => {
      const state = ['--state', 'stopped-state'];
      const endless = startLunastream(
        folder,
        ...[
          'train',
          '--data',
          data,
          ...SMALL_RUN,
          '--epochs',
          '100000',
          '--out',
          'stopped',
          ...state,
          '--json',
        ],
      );
      await endless.output(/"event":"scores"/);
      const pids = await childrenOf(endless.pid);
      expect(pids.length).toBe(4);
      endless.signal('SIGINT');
      expect((await endless.finished).code).toBe(130);
      expect(pids.filter(isAlive)).toEqual([]);
      const run = await onlyRun(join(folder, 'stopped'));
      expect(JSON.parse(await readFile(join(run, 'status.json'), 'utf8'))).toMatchObject({
        state: 'stopped',
      });
      const resumed = ['train', '--data', data, ...state, '--resume', run, '--epochs', '100000', '--json'];
      const second = startLunastream(folder, ...resumed);
      await second.output(/Resumed after epoch \d+ of 100000, \d+ samples seen[^]*"event":"scores"/);
      second.signal('SIGINT');
      expect((await second.finished).code).toBe(130);
      expect((await readEpochs(run)).startsWith(expectedEpochs)).toBe(true);
    },
  );
});

describe('lunastream up', () => {
  it('leaves no service behind when it is killed', async () => {
    const up = startLunastream(
      folder,
      ...['up', '--data', data, '--out', 'killed', '--state', 'killed-state', '--port', '0', '--json'],
    );
    const [line] = await up.output(/^\{.*\}\n/);
    const { processes } = JSON.parse(line) as Stack;
    expect(processes.filter(({ pid }) => isAlive(pid))).toHaveLength(4);
    up.signal('SIGKILL');
    await up.finished;
    await vi.waitUntil(() => processes.every(({ pid }) => !isAlive(pid)), { timeout: 120_000 });
  });

  it('serves runs to train, runs, watch and stop, and loses nothing when a worker is killed', async () => {
    const up = startLunastream(
      folder,
      ...['up', '--data', data, '--out', 'served', '--state', 'served-state', '--port', '0', '--json'],
    );
    const [line] = await up.output(/^\{.*\}\n/);
    const { trainer, processes } = JSON.parse(line) as Stack;
    const on = ['--trainer', trainer];

    const training = startLunastream(folder, 'train', ...on, ...SMALL_RUN, '--epochs', '2', '--json');
    await training.output(/"event":"progress"/);
    process.kill(processes.find(({ name }) => name === 'augmentation-1')!.pid, 'SIGKILL');
    // The stack tells that one of its processes went away; the run goes on with the others.
    expect((await training.finished).code).toBe(0);
    expect(await readEpochs(await onlyRun(join(folder, 'served')))).toBe(expectedEpochs);

    const runs = await lunastream(folder, 'runs', ...on, '--json');
    const [run] = runs.stdout.trim().split('\n');
    const { runId, state } = JSON.parse(run!) as { runId: string; state: string };
    expect(state).toBe('finished');
    const watched = jsonEvents(await lunastream(folder, 'watch', runId, ...on, '--json'));
    expect(watched.filter(({ event }) => event === 'scores')).toHaveLength(4);
    expect((await lunastream(folder, 'stop', runId, ...on)).stdout).toBe(`run ${runId} finished\n`);

    up.signal('SIGTERM');
    await up.finished;
    expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  it('stops a run on request', async () => {
    const up = startLunastream(
      folder,
      ...['up', '--data', data, '--out', 'halted', '--state', 'halted-state', '--port', '0', '--json'],
    );
    const [line] = await up.output(/^\{.*\}\n/);
    const { trainer } = JSON.parse(line) as Stack;
    const endless = startLunastream(
      folder,
      ...['train', '--trainer', trainer, ...SMALL_RUN, '--epochs', '100000', '--json'],
    );
    await endless.output(/"event":"scores"/);
    const busy = await lunastream(folder, 'train', '--trainer', trainer, ...SMALL_RUN);
    expect(busy).toMatchObject({ code: 1, stdout: '' });
    expect(busy.stderr).toMatch(/^lunastream: Cannot start a run: this trainer is busy with p2ch12\/.*\n$/);
    const run = await onlyRun(join(folder, 'halted'));
    const runId = run.split('/').slice(-2).join('/');
    const stopped = await lunastream(folder, 'stop', runId, '--trainer', trainer);
    expect(stopped.stdout).toBe(`run ${runId} stopped\n`);
    expect((await endless.finished).code).toBe(130);
    up.signal('SIGINT');
    expect((await up.finished).code).toBe(0);
  });
});

/** Hash of weights and optimizer state, from the header of the last checkpoint. */
async function stateHashOf(run: string): Promise<string> {
  const bytes = await readFile(join(run, 'checkpoints/last.safetensors'));
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString();
  const { __metadata__: metadata } = JSON.parse(header) as { __metadata__: { state_sha256: string } };
  expect(metadata.state_sha256).toMatch(/^[0-9a-f]{64}$/);
  return metadata.state_sha256;
}

/** Processes whose parent is `pid`, from the process table of Linux. */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').map(Number);
}
