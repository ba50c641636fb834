import { access, appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lunastream } from '../src/lunastream.ts';
import { makeSmallDataset, SMALL_RUN } from '../src/small-dataset.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-bad-input-'));
  await makeSmallDataset(join(folder, 'good'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A copy of the small data set, changed by `damage`. */
async function damaged(
  name: string,
  damage: (data: string, headers: string[]) => Promise<void>,
): Promise<string> {
  const data = await makeSmallDataset(join(folder, name));
  const subset = join(data, 'subset0');
  const headers = (await readdir(subset)).filter((file) => file.endsWith('.mhd')).sort();
  await damage(
    data,
    headers.map((file) => join(subset, file)),
  );
  return data;
}

async function changeFile(path: string, change: (text: string) => string): Promise<void> {
  await writeFile(path, change(await readFile(path, 'utf8')));
}

/** Trains on `data` into a folder of its own. */
async function train(name: string, data: string, ...flags: string[]) {
  const out = join(folder, `${name}-runs`);
  const run = ['train', '--data', data, ...SMALL_RUN, '--epochs', '1', '--out', out, '--quiet', ...flags];
  const finished = await lunastream(folder, ...run, '--state', join(folder, `${name}-state`));
  const exists = await access(out).then(
    () => true,
    () => false,
  );
  return { ...finished, leftBehind: exists ? await readdir(out, { recursive: true }) : [] };
}

describe('lunastream, given bad input', () => {
  it.each([
    [['train', '--dtaa', 'x'], "error: unknown option '--dtaa'\n(Did you mean --data?)\n"],
    [['trian'], "error: unknown command 'trian'\n(Did you mean train?)\n"],
    [['train', '--data', 'nowhere'], 'lunastream: Cannot read data set nowhere: there is no such folder\n'],
    [['data', 'check', 'nowhere'], 'lunastream: Cannot read data set nowhere: there is no such folder\n'],
    [
      ['train', '--data', 'good', '--batch-size', '0'],
      /^error: option '--batch-size <samples>' argument '0' is invalid\..*\n$/,
    ],
    [
      ['train', '--data', 'good', '--chunk', '32x48'],
      /^error: option '--chunk <shape>' argument '32x48' is invalid\..*\n$/,
    ],
    [['train', '--data', 'good', '--resume', 'good'], /^lunastream: Cannot resume good: .*\n$/],
    [
      ['data', 'phantom', 'made', '--background', 'lunar'],
      /^error: option '--background <kind>' argument 'lunar' is invalid\..*\n$/,
    ],
    [['data', 'phantom', 'good', '--seed', '9'], /^lunastream: Cannot .*good.*\n$/],
  ])('refuses %j with one sentence and code 2', async (args, sentence) => {
    const before = (await readdir(folder)).sort();
    const { code, stdout, stderr } = await lunastream(folder, ...args);
    expect([code, stdout]).toEqual([2, '']);
    if (typeof sentence === 'string') expect(stderr).toBe(sentence);
    else expect(stderr).toMatch(sentence);
    expect((await readdir(folder)).sort()).toEqual(before);
  });

  it('names file and line of a number in a table that is none', async () => {
    const data = await damaged('nan', (folder) =>
      appendFile(join(folder, 'candidates.csv'), '1.2.3,NaN,0,0,1\n'),
    );
    const { code, stderr, leftBehind } = await train('nan', data);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^lunastream: .*nan\/candidates\.csv:50: .*coordX.*NaN.*\n$/);
    expect(leftBehind).toEqual([]);
  });

  it('names the header without spacing when no scan is left to train on', async () => {
    const data = await damaged('no-spacing', async (_, headers) => {
      for (const header of headers) {
        await changeFile(header, (text) => text.replace(/^ElementSpacing = .*\n/m, ''));
      }
    });
    const { code, stderr, leftBehind } = await train('no-spacing', data);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^lunastream: .*\.mhd.*ElementSpacing.*\n$/);
    expect(leftBehind).toEqual([]);
  });

  it('trains without a scan whose header is bad, a candidate outside its scan, and says so', async () => {
    const data = await damaged('partly', async (folder, headers) => {
      await changeFile(headers[1]!, (text) => text.replace(/^ElementSpacing = .*\n/m, ''));
      const table = await readFile(join(folder, 'candidates.csv'), 'utf8');
      const seriesUid = headers[0]!.replace(/^.*\/|\.mhd$/g, '');
      await writeFile(join(folder, 'candidates.csv'), `${table}${seriesUid},9999,0,0,0\n`);
    });
    const { code, leftBehind } = await train('partly', data);
    expect(code).toBe(0);
    const log = await readFile(
      join(
        folder,
        'partly-runs',
        leftBehind.find((name) => name.endsWith('log.txt'))!,
      ),
      'utf8',
    );
    expect(log).toMatch(
      /WARNING +Left out: 0 candidates of absent scans, 1 outside their scan, 12 of damaged scans/,
    );
    expect(log).toMatch(/WARNING +Series \S+ cannot be used: .*ElementSpacing/);
    expect(log).toMatch(/WARNING +\S+candidates\.csv:50: the centre lies outside scan/);
  });

  it('fails the run with the name of a .raw that was cut short, with code 2', async () => {
    const data = await damaged('truncated', async (_, headers) => {
      for (const header of headers) await truncate(header.replace(/\.mhd$/, '.raw'), 5000);
    });
    const { code, stderr, leftBehind } = await train('truncated', data);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^lunastream: .*\.raw.*5000.*\n$/);
    expect(leftBehind).toEqual([]);
  });

  it('reports all of it with `data check`, with code 2 and no stack trace', async () => {
    const data = await damaged('report', async (folder, headers) => {
      await changeFile(headers[0]!, (text) => text.replace(/^ElementSpacing = .*\n/m, ''));
      await truncate(headers[1]!.replace(/\.mhd$/, '.raw'), 5000);
      await appendFile(join(folder, 'candidates.csv'), `9.9.9,0,0,0,0\n`);
    });
    const { code, stdout, stderr } = await lunastream(folder, 'data', 'check', data);
    expect([code, stderr]).toEqual([2, '']);
    expect(stdout).toMatch(/^error .*ElementSpacing/m);
    expect(stdout).toMatch(/^error .*\.raw.*5000/m);
    expect(stdout).toMatch(/9\.9\.9/);
    expect(stdout).not.toMatch(/^\s+at /m);
  });
});
