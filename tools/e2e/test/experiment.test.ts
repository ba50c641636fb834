import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonEvents, lunastream, type JsonEvent } from '../src/lunastream.ts';
import type { FinishedProcess } from '../src/process-run.ts';
import { makeSmallDataset, SMALL_RUN } from '../src/small-dataset.ts';

let folder: string;
let data: string;
let first: FinishedProcess;

/** A series of which the second variant asks for a chunk that the trainer refuses. */
const series = (...flags: string[]) =>
  lunastream(
    folder,
    ...['experiment', 'grid', '--data', data, ...SMALL_RUN, '--epochs', '1', '--name', 'sizes', '--json'],
    ...['--set', 'chunk=16x16x16,16x16x200', '--workers', '1', ...flags],
  );
const runsOf = (finished: FinishedProcess) => jsonEvents(finished).filter(({ event }) => event === 'run');
const runIdsOf = (events: readonly JsonEvent[]) => events.map(({ runId }) => runId as string).filter(Boolean);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-experiment-'));
  data = await makeSmallDataset(join(folder, 'data'));
  first = await series('--seeds', '2', '--parallel', '2');
});
afterAll(() => rm(folder, { recursive: true }));

describe('lunastream experiment', () => {
  it('does every run on one stack, notes what fails, compares the rest', () => {
    expect(first.code).toBe(1);
    expect(
      runsOf(first)
        .map(({ variant, seed, state }) => `${String(variant)} ${String(seed)} ${String(state)}`)
        .sort(),
    ).toEqual([
      'chunk-16x16x16 5 finished',
      'chunk-16x16x16 6 finished',
      'chunk-16x16x200 5 failed',
      'chunk-16x16x200 6 failed',
    ]);
    const failed = runsOf(first).find(({ state }) => state === 'failed')!;
    expect(failed['message']).toContain('each axis of chunk must be 16..128 voxels, got 16x16x200');
    const comparison = jsonEvents(first).at(-1)!;
    expect(comparison).toMatchObject({ event: 'comparison', series: 'sizes' });
    expect(comparison['summaries']).toMatchObject([
      { variant: 'chunk-16x16x16', runs: 2, last: { recall: { count: 2 } } },
    ]);
  });

  it('writes the report, and goes on with what is left when it is called again', async () => {
    expect((await stat(join(folder, 'runs/sizes/report.html'))).size).toBeGreaterThan(50_000);
    const again = await series('--seeds', '3');
    // Seed 7 is new, failed runs are tried again, finished ones are not done again.
    expect(
      runsOf(again).map(({ variant, seed, state }) => `${String(variant)} ${String(seed)} ${String(state)}`),
    ).toEqual([
      'chunk-16x16x200 5 failed',
      'chunk-16x16x200 6 failed',
      'chunk-16x16x16 7 finished',
      'chunk-16x16x200 7 failed',
    ]);
    const other = await series('--lr', '0.5');
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('must have the settings of before, got another learningRate');
  });
});

describe('a trained model', () => {
  const runFolder = () => join(folder, 'runs', runIdsOf(runsOf(first))[0]!);

  it('says in evaluate, bit by bit, what the run said of its validation', async () => {
    const flags = ['--run', runFolder(), '--data', data, '--predictions', 'again.csv', '--json'];
    const { code, stdout, stderr } = await lunastream(folder, 'evaluate', ...flags);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ part: 'the validation candidates' });
    const kept = await readFile(join(runFolder(), 'predictions/best.csv'), 'utf8');
    expect(await readFile(join(folder, 'again.csv'), 'utf8')).toBe(kept);
  });

  it('predicts the same at points of a scan, also from exported weights', async () => {
    const [head, row] = (await readFile(join(runFolder(), 'predictions/best.csv'), 'utf8')).split('\n');
    const columns = head!.split(',');
    const value = (name: string) => row!.split(',')[columns.indexOf(name)]!;
    const points = ['coordX', 'coordY', 'coordZ'];
    await writeFile(join(folder, 'points.csv'), `${points.join(',')}\n${points.map(value).join(',')}\n`);
    const scan = join(data, 'subset0', `${value('seriesuid')}.mhd`);
    const predict = (...model: string[]) =>
      lunastream(folder, 'predict', '--scan', scan, '--points', 'points.csv', '--json', ...model);
    const exported = await lunastream(folder, 'export', '--run', runFolder(), '--out', 'weights.safetensors');
    expect(exported.code).toBe(0);
    for (const model of [
      ['--run', runFolder()],
      ['--weights', 'weights.safetensors', '--chunk', '16x16x16'],
    ]) {
      const { code, stdout, stderr } = await predict(...model);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect((JSON.parse(stdout) as { probability: number }).probability).toBe(Number(value('probability')));
    }
    const wrong = await predict('--weights', 'weights.safetensors');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain(
      'head_linear.weight: its shape must be [2, 1152] (does the chunk shape differ?)',
    );
  });

  it('is where another run starts from: what is frozen keeps its bytes, the rest learns', async () => {
    const best = join(runFolder(), 'checkpoints/best.safetensors');
    const { code, stderr } = await lunastream(
      folder,
      ...['train', '--data', data, ...SMALL_RUN, '--epochs', '1', '--workers', '1', '--tb-prefix', 'tuned'],
      ...['--comment', 'head', '--weights', best, '--finetune-depth', '1', '--quiet'],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [name] = await readdir(join(folder, 'runs/tuned'));
    const tuned = await tensorBytes(join(folder, 'runs/tuned', name!, 'checkpoints/last.safetensors'));
    const before = await tensorBytes(best);
    for (const [tensor, bytes] of before) {
      if (!/^(block|head_linear)/.test(tensor)) continue;
      expect(tuned.get(tensor) === bytes, tensor).toBe(tensor.startsWith('block'));
    }
  });
});

/** The bytes of each tensor of a safetensors file, in hexadecimal: a length, a header of JSON, then the data. */
async function tensorBytes(path: string): Promise<Map<string, string>> {
  const file = await readFile(path);
  const data = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, data)) as Record<string, { data_offsets?: number[] }>;
  return new Map(
    Object.entries(header).flatMap(([name, { data_offsets: offsets }]) =>
      offsets === undefined
        ? []
        : [[name, file.toString('hex', data + offsets[0]!, data + offsets[1]!)] as const],
    ),
  );
}
