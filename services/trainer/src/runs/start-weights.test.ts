import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeSafetensors } from '@lunastream/engine';
import { describe, expect, it } from 'vitest';
import { withManagers } from '../../test/manager-bench.ts';
import { SETTINGS } from '../../test/training-fixtures.ts';

const ID = 'p2ch12/2026-11-23_09.05.13-dlwpt';
const fileOf = (name: string, value: number) =>
  encodeSafetensors({ tensors: [{ name, shape: [1], values: Float32Array.of(value) }], metadata: {} });
const FILE = fileOf('layer.weight', 0.25);
const settingsFor = (file: Uint8Array) => ({
  ...SETTINGS,
  initialWeights: { sha256: createHash('sha256').update(file).digest('hex'), newHead: false },
});

/** An engine that tells the weights with which each batch was computed. */
function watchedEngine() {
  const weights: number[] = [];
  const predict = (_: number, weight: number) => {
    weights.push(weight);
    return 0.5;
  };
  return { weights, engine: { predict } };
}

describe('a run that starts from given weights', () => {
  it('computes its first batch with them, and keeps their file', () =>
    withManagers(async (runs, managerBench) => {
      const { weights, engine } = watchedEngine();
      const { manager, story } = managerBench(runs, { engine });
      const { path } = await manager.start(settingsFor(FILE), '', FILE);
      await story(ID);
      expect(weights[0]).toBe(0.25);
      expect(weights.at(-1)).not.toBe(0.25);
      expect(await readFile(join(path, 'checkpoints', 'initial.safetensors'))).toEqual(Buffer.from(FILE));
    }));

  it('starts from them again when it is resumed before its first checkpoint, and never after', () =>
    withManagers(async (runs, managerBench) => {
      const first = managerBench(runs);
      const { path } = await first.manager.start(settingsFor(FILE), '', FILE);
      await first.story(ID);
      await first.manager.stopActive();
      const after = watchedEngine();
      const second = managerBench(runs, { engine: after.engine });
      await second.manager.start({ ...SETTINGS, epochs: 2 }, ID);
      await second.story(ID);
      await second.manager.stopActive();
      expect(after.weights[0]).not.toBe(0.25);
      await rm(join(path, 'checkpoints', 'last.safetensors'));
      const anew = watchedEngine();
      const third = managerBench(runs, { engine: anew.engine });
      await third.manager.start({ ...SETTINGS, epochs: 2 }, ID);
      await third.story(ID);
      expect(anew.weights[0]).toBe(0.25);
    }));

  const misnamed = fileOf('other.weight', 1);
  const cut = FILE.subarray(0, FILE.length - 1);
  it.each([
    ['without a file', settingsFor(FILE), undefined, /must have SHA-256 [0-9a-f]{64}, got none/],
    ['with another file', settingsFor(FILE), cut, /must have SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}/],
    ['with a file that nothing speaks of', SETTINGS, FILE, /settings must name the initial weights/],
    ['with a file that is cut off', settingsFor(cut), cut, /initial weights: /],
    ['with tensors of another model', settingsFor(misnamed), misnamed, /initial weights: .*layer\.weight/],
    [
      'with a hash that is none',
      { ...SETTINGS, initialWeights: { sha256: 'xy', newHead: false } },
      FILE,
      /must be 64 hexadecimal digits, got 'xy'/,
    ],
  ])('is refused %s, and leaves no folder', (_, settings, file, message) =>
    withManagers(async (runs, managerBench) => {
      const { manager } = managerBench(runs);
      const start = manager.start(settings, '', file);
      await expect(start).rejects.toMatchObject({ tag: 'RunSettingsError' });
      await expect(start).rejects.toThrow(message);
      expect(await readdir(runs)).toEqual([]);
    }),
  );
});
