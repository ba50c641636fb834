import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, encodeCheckpoint, encodeSafetensors, modelTensors } from '@lunastream/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/run-command.ts';

let folder: string;
let data: string;
/** Of the data's nodules. */
let malignant: number;
let benign: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-evaluate-'));
  data = join(folder, 'data');
  const made = await runCommand([
    ...[
      'data',
      'phantom',
      data,
      '--background',
      'synthetic',
      '--malignancy',
      '--scans',
      '2',
      '--nodules',
      '4',
    ],
    ...['--imbalance', '2', '--shape', '40x96x96', '--seed', '3'],
  ]);
  expect([made.exitCode, made.stderr]).toEqual([0, '']);
  const table = await readFile(join(data, 'annotations_with_malignancy.csv'), 'utf8');
  malignant = table.match(/,True$/gim)?.length ?? 0;
  benign = table.match(/,False$/gim)?.length ?? 0;
  const { engine } = await createEngine({
    engine: 'simd',
    threads: 1,
    chunkShape: { depth: 16, height: 16, width: 16 },
    learningRate: 0.001,
    momentum: 0,
    runSeed: 1,
  });
  const state = await engine.exportState();
  engine.dispose();
  const write = (name: string, bytes: Uint8Array) => writeFile(join(folder, name), bytes);
  const exported = (metadata: Record<string, string>) =>
    encodeSafetensors({ tensors: modelTensors(state), metadata });
  await write('others.safetensors', exported({ format: 'pt' }));
  await write('exported.safetensors', exported({ format: 'pt', labels: 'malignancy' }));
  const metadata = { epoch: 1, samplesSeen: 8, runSeed: 1, settings: { labels: 'malignancy' } };
  await write('checkpoint.safetensors', encodeCheckpoint({ state, metadata }));
});
afterAll(() => rm(folder, { recursive: true }));

const evaluate = (weights: string, ...flags: string[]) =>
  runCommand([
    ...['evaluate', '--data', data, '--weights', join(folder, weights), '--chunk', '16x16x16'],
    ...['--engine', 'simd', '--threads', '1', ...flags],
  ]);

/** What was measured: labels, positives and all. */
async function measured(weights: string, ...flags: string[]) {
  const { exitCode, stdout, stderr } = await evaluate(weights, '--json', ...flags);
  expect([exitCode, stderr]).toEqual([0, '']);
  const { labels, summary } = JSON.parse(stdout) as {
    labels: string;
    summary: { counts: Record<string, number> };
  };
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = summary.counts as {
    truePositives: number;
    falsePositives: number;
    falseNegatives: number;
    trueNegatives: number;
  };
  return [labels, truePositives + falseNegatives, falsePositives + trueNegatives];
}

describe('evaluate --weights', () => {
  it.each(['checkpoint.safetensors', 'exported.safetensors'])(
    'measures malignancy where the run of %s did, and nodules where it is asked to',
    async (weights) => {
      expect(malignant * benign).toBeGreaterThan(0);
      expect(await measured(weights)).toEqual(['malignancy', malignant, benign]);
      const [labels, positives, others] = await measured(weights, '--labels', 'nodule');
      expect([labels, positives]).toEqual(['nodule', malignant + benign]);
      expect(others).toBeGreaterThan(benign);
    },
  );

  it('measures nodules with weights that say nothing, and malignancy where it is asked to', async () => {
    expect((await measured('others.safetensors')).slice(0, 2)).toEqual(['nodule', malignant + benign]);
    expect(await measured('others.safetensors', '--labels', 'malignancy')).toEqual([
      'malignancy',
      malignant,
      benign,
    ]);
  });

  it('calls the positives by what they are', async () => {
    expect((await evaluate('exported.safetensors')).stdout).toMatch(/^loss of malignant nodules /m);
    expect((await evaluate('others.safetensors')).stdout).toMatch(/^loss of nodules /m);
  });
});
