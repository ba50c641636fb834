import { readdir, readFile, truncate, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatasetReport } from '@lunastream/dataset';
import { sharedDataPath, withTemporaryFolder } from '@lunastream/testing';
import { IDENTITY_DIRECTION, writeMetaImage, xyzMm } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import { FakeTerminal } from '../../test/fake-terminal.ts';
import { runCommand } from '../../test/run-command.ts';

const SIDE = 20;
const CANDIDATES = ['a,5,5,5,1', 'a,9,9,9,0', 'b,3,3,3,0'];

/** A LUNA16 folder: two scans of 20 voxels a side, of 1 mm, from 0 mm. */
async function layOut(folder: string, candidates: readonly string[] = CANDIDATES): Promise<string> {
  const table = (header: string, rows: readonly string[]) => [header, ...rows, ''].join('\n');
  await writeFile(join(folder, 'candidates.csv'), table('seriesuid,coordX,coordY,coordZ,class', candidates));
  await writeFile(
    join(folder, 'annotations.csv'),
    table('seriesuid,coordX,coordY,coordZ,diameter_mm', ['a,5,5,5,8']),
  );
  await mkdir(join(folder, 'subset0'));
  for (const seriesUid of ['a', 'b']) {
    await writeMetaImage(join(folder, 'subset0', `${seriesUid}.mhd`), {
      geometry: {
        shape: { depth: SIDE, height: SIDE, width: SIDE },
        originXyzMm: xyzMm(0, 0, 0),
        spacingXyzMm: xyzMm(1, 1, 1),
        direction: IDENTITY_DIRECTION,
      },
      voxelsHu: new Int16Array(SIDE ** 3),
    });
  }
  return folder;
}

const check = (folder: string, ...args: readonly string[]) =>
  runCommand(['data', 'check', folder, '--chunk', '16x16x16', ...args]);

describe('data check', () => {
  it('reports a good folder in a table, exit code 0', () =>
    withTemporaryFolder(async (folder) => {
      await layOut(folder);
      const { exitCode, stdout, stderr } = await check(folder);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      const pad = (name: string) => name.padEnd('series on both sides of --split candidate'.length);
      expect(stdout.split('\n')).toEqual([
        `${pad('data set')}  ${folder}`,
        `${pad('candidates listed')}  3 (1 positive, 2 negative)`,
        `${pad('negatives per positive')}  2.0`,
        `${pad('candidates usable')}  3 (1 positive, 2 negative)`,
        `${pad('positives without diameter')}  0`,
        `${pad('annotations')}  1`,
        `${pad('scans usable')}  2`,
        `${pad('scans bad')}  0`,
        `${pad('series without a scan')}  0`,
        'series on both sides of --split candidate  1',
        '',
        'warning  A split by candidate puts 1 series on both sides: validation then asks about scans that were trained on; split by series',
        '',
        '0 errors, 1 warnings',
        '',
      ]);
    }));

  it.each([
    [
      'NaN in a table',
      (folder: string) => layOutAgain(folder, ['a,5,5,5,1', 'a,NaN,9,9,0', 'b,3,3,3,0']),
      /^error {4}Cannot read FOLDER\/candidates\.csv:3: field coordX .*NaN/m,
    ],
    [
      'a candidate outside its scan',
      (folder: string) => layOutAgain(folder, ['a,5,5,5,1', 'b,3,3,30,0', 'b,3,3,3,0']),
      /^error {4}FOLDER\/candidates\.csv:3: the centre \(3, 3, 30\) mm is voxel \[30, 3, 3\] of series b, outside its 20x20x20 voxels$/m,
    ],
    [
      'a header without spacing',
      async (folder: string) => {
        const path = join(folder, 'subset0', 'b.mhd');
        const header = await readFile(path, 'utf8');
        await writeFile(path, header.replace(/^ElementSpacing.*\n/m, ''));
      },
      /^error {4}Series b cannot be used\. Cannot read FOLDER\/subset0\/b\.mhd.*ElementSpacing/m,
    ],
    [
      'a truncated .raw',
      (folder: string) => truncate(join(folder, 'subset0', 'b.raw'), 100),
      /^error {4}Series b cannot be used\. Cannot read FOLDER\/subset0\/b\.raw.* 100/m,
    ],
  ])('names %s by file, exit code 2, in one pass and without a stack trace', (_, spoil, expected) =>
    withTemporaryFolder(async (folder) => {
      await layOut(folder);
      await spoil(folder);
      const { exitCode, stdout, stderr } = await check(folder);
      expect(exitCode).toBe(2);
      expect(stdout.replaceAll(folder, 'FOLDER')).toMatch(expected);
      expect(stdout).toMatch(/\n1 errors, \d warnings\n$/);
      expect(stderr).toBe('');
      expect(stdout).not.toMatch(/^\s+at /m);
    }),
  );

  it('says in one sentence that a folder does not exist', () =>
    withTemporaryFolder(async (folder) => {
      const { exitCode, stdout, stderr } = await check(join(folder, 'none'));
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toBe(`lunastream: Cannot read data set ${folder}/none: there is no such folder\n`);
    }));

  it('warns of scans thinner than the chunk asked for, which is no error', () =>
    withTemporaryFolder(async (folder) => {
      await layOut(folder);
      const { exitCode, stdout } = await check(folder, '--chunk', '21x16x16');
      expect(exitCode).toBe(0);
      expect(stdout).toContain('warning  Series a has 20x20x20 voxels, less than a chunk of 21x16x16');
    }));

  it('writes the report as one JSON document', () =>
    withTemporaryFolder(async (folder) => {
      await layOut(folder, ['a,5,5,5,1', 'a,9,9,90,0']);
      const { exitCode, stdout } = await check(folder, '--json');
      expect(exitCode).toBe(2);
      const report = JSON.parse(stdout) as DatasetReport & { errors: number };
      expect(report).toMatchObject({
        errors: 1,
        counts: { rows: 2, candidates: 1 },
        negativesPerPositive: 1,
      });
      expect(report.problems.filter(({ severity }) => severity === 'error')).toMatchObject([
        { kind: 'outside-scan', path: join(folder, 'candidates.csv'), line: 3, seriesUid: 'a' },
      ]);
    }));

  it('ends when it is interrupted, and clears its bar', () =>
    withTemporaryFolder(async (folder) => {
      await layOut(folder);
      const terminal = new FakeTerminal({ isInteractive: true });
      const outcome = await runCommand(['data', 'check', folder], {
        terminal,
        interrupted: AbortSignal.abort(),
      });
      expect(outcome).toEqual({ exitCode: 130, stdout: '', stderr: '' });
    }));

  it.skipIf(!sharedDataPath('luna-mini'))(
    'names the 38 centres outside their scan and the thin scan of a real folder [needs shared data luna-mini]',
    async () => {
      const { exitCode, stdout } = await runCommand(['data', 'check', sharedDataPath('luna-mini')!]);
      expect(exitCode).toBe(2);
      expect(stdout.match(/^error .*candidates\.csv:\d+: the centre .* outside its /gm)).toHaveLength(38);
      expect(stdout).toMatch(/^warning .* less than a chunk of 32x48x48/m);
    },
  );
});

describe('data phantom', () => {
  const phantom = (folder: string, ...args: readonly string[]) =>
    runCommand([
      'data',
      'phantom',
      folder,
      '--background',
      'synthetic',
      '--scans',
      '1',
      '--nodules',
      '1',
      ...args,
    ]);

  it.each([
    [['--seed', '-1'], "argument '-1' is invalid"],
    [['--scans', '0'], "argument '0' is invalid"],
    [['--imbalance', 'many'], "argument 'many' is invalid"],
    [['--background', 'lunar'], "argument 'lunar' is invalid. Allowed choices are real, synthetic."],
    [['--shape', '64x64'], "argument '64x64' is invalid. It must be depth x height x width"],
    [['--shape', '1x1x1'], 'Cannot generate a phantom data set: '],
  ])('refuses %j with one sentence, and leaves nothing behind', (args, message) =>
    withTemporaryFolder(async (folder) => {
      const { exitCode, stdout, stderr } = await phantom(join(folder, 'new'), ...args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toContain(message);
      expect(stderr).toMatch(/^[^\n]+\n$/);
      expect(await readdir(folder)).toEqual([]);
    }),
  );

  it('makes a folder that data check finds good, once', () =>
    withTemporaryFolder(async (folder) => {
      const outDir = join(folder, 'new');
      const args = ['--shape', '64x128x128', '--imbalance', '2'];
      expect(await phantom(outDir, ...args)).toEqual({
        exitCode: 0,
        stdout: `made ${outDir}: 1 scans of 1 patients, 1 nodules, 2 negatives\n`,
        stderr: '',
      });
      expect((await phantom(outDir, ...args)).stdout).toMatch(/^already there /);
      const { stdout } = await phantom(outDir, ...args, '--json');
      expect(JSON.parse(stdout)).toMatchObject({ outDir, reused: true, positiveCount: 1, negativeCount: 2 });
      expect((await runCommand(['data', 'check', outDir])).exitCode).toBe(0);
    }));

  it('refuses a folder that holds something else, and leaves it as it is', () =>
    withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'mine.txt'), '');
      const { exitCode, stderr } = await phantom(folder);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`lunastream: Cannot write a phantom data set into ${folder}`);
      expect(await readdir(folder)).toEqual(['mine.txt']);
    }));

  it('ends when it is interrupted, and leaves nothing behind', () =>
    withTemporaryFolder(async (folder) => {
      const args = ['data', 'phantom', join(folder, 'new'), '--background', 'synthetic'];
      const outcome = await runCommand(args, { interrupted: AbortSignal.abort() });
      expect(outcome).toEqual({ exitCode: 130, stdout: '', stderr: '' });
      expect(await readdir(folder)).toEqual([]);
    }));
});

/** Writes another candidates.csv into a folder of `layOut`. */
async function layOutAgain(folder: string, candidates: readonly string[]): Promise<void> {
  const rows = ['seriesuid,coordX,coordY,coordZ,class', ...candidates, ''];
  await writeFile(join(folder, 'candidates.csv'), rows.join('\n'));
}
