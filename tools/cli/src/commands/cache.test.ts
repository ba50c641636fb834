import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { candidateRow, layOutScans } from '@lunastream/chunk-source/testing';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { FakeTerminal } from '../../test/fake-terminal.ts';
import { runCommand } from '../../test/run-command.ts';

const CHUNK_BYTES = 2 * 4 * 6 * 6;
const ROWS = [
  candidateRow('a', [5, 8, 8]),
  candidateRow('b', [5, 8, 8], true),
  candidateRow('a', [6, 9, 12]),
  candidateRow('b', [3, 4, 5]),
];

/** A data set of two scans, one of them compressed, and the flags that warm it into a state folder. */
async function layOut(folder: string) {
  const data = await layOutScans(join(folder, 'data'), ROWS);
  const state = join(folder, 'state');
  const warm = (...args: readonly string[]) =>
    runCommand(['cache', 'warm', '--data', data, '--state', state, '--chunk', '4x6x6', ...args]);
  return { data, state, warm };
}

const cache = (command: string, state: string, ...args: readonly string[]) =>
  runCommand(['cache', command, '--state', state, ...args]);

describe('cache warm', () => {
  it('cuts every chunk, and started again cuts none', () =>
    withTemporaryFolder(async (folder) => {
      const { warm, state } = await layOut(folder);
      expect(await warm()).toEqual({
        exitCode: 0,
        stdout: '4 candidates: 4 chunks cut, 0 kept already, 0 failed\n',
        stderr: '',
      });
      const { exitCode, stdout } = await warm('--json');
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toEqual({
        candidates: 4,
        kept: 4,
        cut: 0,
        failed: 0,
        problems: [],
        unkept: null,
        evicted: 0,
      });
      const held = JSON.parse((await cache('stats', state, '--json')).stdout) as Record<string, object>;
      expect(held['chunks']).toEqual({ entryCount: 4, sizeBytes: 4 * CHUNK_BYTES });
      expect(held['copies']).toMatchObject({ entryCount: 1 });
    }));

  it('with --augmented keeps each chunk with its margin, too', () =>
    withTemporaryFolder(async (folder) => {
      const { warm } = await layOut(folder);
      expect((await warm('--augmented')).stdout).toBe(
        '4 candidates: 8 chunks cut, 0 kept already, 0 failed\n',
      );
      expect((await warm()).stdout).toBe('4 candidates: 0 chunks cut, 4 kept already, 0 failed\n');
    }));

  it('tells which chunks failed, keeps the others, exit code 1', () =>
    withTemporaryFolder(async (folder) => {
      const { warm, data } = await layOut(folder);
      // Of the size that the header says: only who reads voxels finds it damaged.
      const scan = join(data, 'subset0/b.zraw');
      await writeFile(scan, (await readFile(scan)).fill(0xff));
      const { exitCode, stdout, stderr } = await warm();
      expect({ exitCode, stdout }).toEqual({
        exitCode: 1,
        stdout: '4 candidates: 2 chunks cut, 0 kept already, 2 failed\n',
      });
      expect(stderr).toMatch(/^Cannot .*\bb\b/m);
      expect(stderr).not.toMatch(/^\s+at /m);
    }));

  it('is silent with --quiet', () =>
    withTemporaryFolder(async (folder) => {
      const { data, state } = await layOut(folder);
      const terminal = new FakeTerminal({ isInteractive: true });
      const args = ['cache', 'warm', '--data', data, '--state', state, '--chunk', '4x6x6', '--quiet'];
      expect(await runCommand(args, { terminal })).toEqual({ exitCode: 0, stdout: '', stderr: '' });
      expect(terminal.drawn).toEqual([]);
    }));

  it('draws a bar with the time left on a terminal', () =>
    withTemporaryFolder(async (folder) => {
      const { data, state } = await layOut(folder);
      const terminal = new FakeTerminal({ isInteractive: true });
      await runCommand(['cache', 'warm', '--data', data, '--state', state, '--chunk', '4x6x6'], { terminal });
      expect(terminal.drawn[0]).toMatch(/1\/4 chunks .* left/);
    }));

  it('ends when interrupted, exit code 130, and goes on from there', () =>
    withTemporaryFolder(async (folder) => {
      const { data, state, warm } = await layOut(folder);
      const args = ['cache', 'warm', '--data', data, '--state', state, '--chunk', '4x6x6'];
      const outcome = await runCommand(args, { interrupted: AbortSignal.abort() });
      expect(outcome).toEqual({
        exitCode: 130,
        stdout: '4 candidates: 0 chunks cut, 0 kept already, 0 failed\n',
        stderr: 'lunastream: interrupted; the same command goes on from here\n',
      });
      expect((await warm()).stdout).toBe('4 candidates: 4 chunks cut, 0 kept already, 0 failed\n');
    }));

  it('says when the limit is below what the data set needs', () =>
    withTemporaryFolder(async (folder) => {
      const { warm } = await layOut(folder);
      const { exitCode, stderr } = await warm('--store-limit', `${3 * CHUNK_BYTES}B`);
      expect({ exitCode, stderr }).toEqual({
        exitCode: 0,
        stderr: '1 chunks or copies went again to stay below --store-limit and --copy-limit\n',
      });
    }));

  it.each([
    [['--store-limit', '20GB'], /--store-limit.*must be a size such as/],
    [['--parallel', '0'], /--parallel.*whole number in 1\.\.256/],
    [['--data', '/nowhere'], /Cannot read data set \/nowhere: there is no such folder/],
  ])('refuses %j, exit code 2', (args, expected) =>
    withTemporaryFolder(async (folder) => {
      const { warm } = await layOut(folder);
      const { exitCode, stderr } = await warm(...args);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(expected);
    }),
  );
});

describe('cache stats, verify, clear', () => {
  it('counts what a state folder keeps and removes all of it', () =>
    withTemporaryFolder(async (folder) => {
      const { warm, state } = await layOut(folder);
      await warm();
      const { stdout } = await cache('stats', state);
      expect(stdout).toMatch(new RegExp(`^chunks +4 +${4 * CHUNK_BYTES}$`, 'm'));
      expect(stdout).toMatch(/^copies of scans +1 +\d+$/m);
      expect((await cache('clear', state)).stdout).toMatch(/^removed from .*\nchunks +4 /);
      const held = { entryCount: 0, sizeBytes: 0 };
      expect(JSON.parse((await cache('stats', state, '--json')).stdout)).toEqual({
        chunks: held,
        copies: held,
      });
    }));

  it('finds nothing wrong with what is sound, exit code 0', () =>
    withTemporaryFolder(async (folder) => {
      const { warm, state } = await layOut(folder);
      await warm();
      const { exitCode, stdout } = await cache('verify', state, '--json');
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        chunks: { entryCount: 4, sizeBytes: 4 * CHUNK_BYTES, corruptCount: 0 },
        copies: { entryCount: 1, corruptCount: 0 },
      });
      expect(await cache('verify', state, '--quiet')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    }));

  it('removes what is damaged, exit code 1; the next look finds nothing wrong', () =>
    withTemporaryFolder(async (folder) => {
      const { warm, state } = await layOut(folder);
      await warm();
      const copies = join(state, 'volumes');
      const raw = join(
        copies,
        (await readdir(copies)).find((name) => name.endsWith('.raw'))!,
      );
      const bytes = await readFile(raw);
      bytes[100]! ^= 1;
      await writeFile(raw, bytes);
      const { exitCode, stdout } = await cache('verify', state);
      expect(exitCode).toBe(1);
      expect(stdout).toMatch(/^chunks +4 +0\ncopies of scans +1 +1$/m);
      expect((await cache('verify', state)).exitCode).toBe(0);
    }));

  it.each(['stats', 'verify', 'clear'])(
    '%s names a state folder that keeps nothing, and makes none',
    (command) =>
      withTemporaryFolder(async (folder) => {
        const state = join(folder, 'none');
        const { exitCode, stderr } = await cache(command, state);
        expect(exitCode).toBe(2);
        expect(stderr).toBe(
          `lunastream: Cannot find kept chunks: a state folder has ${state}/chunks or ${state}/volumes, got neither\n`,
        );
        await expect(rm(state)).rejects.toMatchObject({ code: 'ENOENT' });
      }),
  );
});
