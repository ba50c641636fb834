import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  applyTransform,
  CHAPTER_AUGMENTATION,
  Augmenter,
  IDENTITY_MATRIX,
  marginFor,
  mixSamples,
  sampleTransform,
} from '@lunastream/augmentation';
import { epochPlan, loadDataset, mixupPartners, splitCandidates, type Candidate } from '@lunastream/dataset';
import { generatePhantom } from '@lunastream/phantom';
import { openVolume, readGrownChunk, xyzToIrc } from '@lunastream/volume';
import { loadImage } from '@napi-rs/canvas';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/run-command.ts';

const SHAPE = { depth: 8, height: 16, width: 16 };
const SEED = 3;
const EPOCH = 2;

let folder: string;
let data: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-samples-'));
  data = join(folder, 'data');
  const shape = { depth: 32, height: 96, width: 96 };
  await generatePhantom({
    outDir: data,
    background: 'synthetic',
    seed: 1,
    scanCount: 2,
    nodulesPerScan: 2,
    negativesPerNodule: 3,
    shape,
  });
});
afterAll(() => rm(folder, { recursive: true }));

/** Writes run.json as the trainer does, with these settings changed. */
async function writeRun(name: string, settings: object = {}): Promise<string> {
  const run = join(folder, name);
  await mkdir(run);
  const record = {
    runId: `p2ch12/${name}`,
    datasetFingerprint: (await loadDataset(data)).fingerprint,
    settings: {
      seed: SEED,
      ratio: 1,
      epochLength: 12,
      split: 'series',
      chunkShape: SHAPE,
      augmentation: CHAPTER_AUGMENTATION,
      margin: false,
      voxelType: 'float32',
      ...settings,
    },
  };
  await writeFile(join(run, 'run.json'), JSON.stringify(record));
  return run;
}

const replay = (run: string, ...flags: readonly string[]) =>
  runCommand(['replay', '--run', run, '--data', data, '--epoch', String(EPOCH), ...flags]);

/** The candidates of the run's training epoch, by ordinal. */
async function plannedCandidates(): Promise<Candidate[]> {
  const { candidates } = await loadDataset(data);
  const { training } = splitCandidates(candidates, { by: 'series' });
  const plan = epochPlan({ candidates: training, ratio: 1, epochLength: 12, runSeed: SEED, epoch: EPOCH });
  return Array.from(plan, (index) => training[index]!);
}

/** The sample of a candidate made without the command. */
async function makeSample(
  { seriesUid, centerXyzMm }: Candidate,
  ordinal: number,
  { augmentation = CHAPTER_AUGMENTATION, grownShape = SHAPE } = {},
): Promise<Float32Array> {
  const series = (await loadDataset(data)).series.get(seriesUid)!;
  const reader = await openVolume(series.path);
  const centerIrc = xyzToIrc(series.geometry, centerXyzMm);
  const chunk = await readGrownChunk(reader, centerIrc, { shape: SHAPE, grownShape });
  await reader.close();
  const transform = sampleTransform(augmentation, { runSeed: SEED, epoch: EPOCH, ordinal });
  return applyTransform(chunk, grownShape, transform, SHAPE);
}

const hashOf = (sample: Float32Array | Uint16Array) =>
  createHash('sha256').update(new Uint8Array(sample.buffer)).digest('hex');

describe('replay', () => {
  it('makes the sample of plan, seed, epoch and ordinal again', async () => {
    const run = await writeRun('plain');
    const candidates = await plannedCandidates();
    for (const ordinal of [0, 5, 11]) {
      const { exitCode, stdout } = await replay(run, '--ordinal', String(ordinal), '--json');
      expect(exitCode).toBe(0);
      const replayed = JSON.parse(stdout) as { sha256: string; candidate: Candidate; transform: object };
      expect(replayed.candidate).toEqual(JSON.parse(JSON.stringify(candidates[ordinal])));
      expect(replayed.transform).toMatchObject({
        noiseHu: 25,
        key: { runSeed: SEED, epoch: EPOCH, ordinal },
      });
      expect(replayed.sha256).toBe(hashOf(await makeSample(candidates[ordinal]!, ordinal)));
    }
  });

  it('makes it with the margin that the run had', async () => {
    const run = await writeRun('margin', { margin: true });
    const [candidate] = await plannedCandidates();
    const { stdout } = await replay(run, '--ordinal', '0', '--json');
    const grownShape = marginFor(CHAPTER_AUGMENTATION, SHAPE);
    const { sha256 } = JSON.parse(stdout) as { sha256: string };
    expect(sha256).toBe(hashOf(await makeSample(candidate!, 0, { grownShape })));
    expect(sha256).not.toBe(hashOf(await makeSample(candidate!, 0)));
  });

  it('mixes the partner in that the run mixed in', async () => {
    const augmentation = { ...CHAPTER_AUGMENTATION, mixupAlpha: 1 };
    const run = await writeRun('mixup', { augmentation });
    const candidates = await plannedCandidates();
    const partner = mixupPartners({ samples: candidates, runSeed: SEED, epoch: EPOCH })[4]!;
    const { stdout } = await replay(run, '--ordinal', '4', '--json');
    const replayed = JSON.parse(stdout) as { sha256: string; partner: { ordinal: number } };
    expect(replayed.partner.ordinal).toBe(partner);
    const [own, other] = [
      await makeSample(candidates[4]!, 4, { augmentation }),
      await makeSample(candidates[partner]!, partner, { augmentation }),
    ];
    const { mixupLambda } = sampleTransform(augmentation, { runSeed: SEED, epoch: EPOCH, ordinal: 4 });
    expect(replayed.sha256).toBe(hashOf(mixSamples(own, other, mixupLambda)));
  });

  it('rounds as workers did that sent float16', async () => {
    const run = await writeRun('float16', { voxelType: 'float16' });
    const [candidate] = await plannedCandidates();
    const { stdout } = await replay(run, '--ordinal', '0');
    const sample = await makeSample(candidate!, 0);
    const rounded = new Uint16Array(sample.length);
    new Augmenter().resample({ voxelsHu: sample, shape: SHAPE }, IDENTITY_MATRIX, {
      voxels: rounded,
      shape: SHAPE,
    });
    expect(stdout).toContain(`float16 voxels, sha256 ${hashOf(rounded)}`);
  });

  it('leaves validation samples as they are cut, and says so', async () => {
    const run = await writeRun('validation', { margin: true });
    const { exitCode, stdout } = await replay(run, '--split', 'val', '--ordinal', '0');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^nodule of \d+\.\d mm in series \S+ at \(.*\) mm\nunchanged\nfloat32 voxels, sha256 [0-9a-f]{64}\n$/,
    );
  });

  it.each([
    [['--ordinal', '12'], 'Cannot replay ordinal 12: the epoch has ordinals 0..11'],
    [
      ['--ordinal', '99', '--split', 'val'],
      /^lunastream: Cannot replay ordinal 99: the epoch has ordinals 0\.\.\d+\n$/,
    ],
  ])('refuses %j', async (flags, sentence) => {
    const run = await writeRun(`refused-${flags.length}`);
    const { exitCode, stderr } = await replay(run, ...flags);
    expect(exitCode).toBe(2);
    if (typeof sentence === 'string') expect(stderr).toBe(`lunastream: ${sentence}\n`);
    else expect(stderr).toMatch(sentence);
  });

  it('refuses data that the run was not trained on', async () => {
    const run = await writeRun('other-data');
    const record = await readFile(join(run, 'run.json'), 'utf8');
    await writeFile(
      join(run, 'run.json'),
      record.replace(/"datasetFingerprint":"./, '"datasetFingerprint":"x'),
    );
    const { exitCode, stderr } = await replay(run, '--ordinal', '0');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /^lunastream: Cannot replay .*: the data set must have fingerprint x\w+, got \w+ of .*\n$/,
    );
  });

  it('refuses a folder without run.json, and names the field of one that is damaged', async () => {
    expect((await replay(data, '--ordinal', '0')).stderr).toMatch(
      /^lunastream: Cannot read run .*: there is no .*run\.json\n$/,
    );
    const run = await writeRun('damaged', { ratio: -1 });
    expect((await replay(run, '--ordinal', '0')).stderr).toMatch(/run\.json: settings\.ratio: .*\n$/);
  });
});

describe('preview', () => {
  it('draws nine panels into a PNG', async () => {
    const out = join(folder, 'figures', 'preview.png');
    const { exitCode, stdout } = await runCommand([
      'preview',
      '--data',
      data,
      '--chunk',
      '16x24x24',
      '--out',
      out,
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^nodule of \d+\.\d mm in series .*\nwrote .*preview\.png\n$/);
    const { width, height } = await loadImage(out);
    expect([width, height]).toEqual([784, 1032]);
    expect(await readdir(join(folder, 'figures'))).toEqual(['preview.png']);
  });

  it('draws the same for the same seed, and something else for another', async () => {
    const draw = async (name: string, seed: string) => {
      const out = join(folder, name);
      await runCommand(['preview', '--data', data, '--chunk', '16x24x24', '--seed', seed, '--out', out]);
      return readFile(out);
    };
    const first = await draw('a.png', '5');
    expect((await draw('b.png', '5')).equals(first)).toBe(true);
    expect((await draw('c.png', '6')).equals(first)).toBe(false);
  });

  it('draws the candidate of an ordinal, with the draws of that ordinal', async () => {
    const draw = async (name: string, ...flags: string[]) => {
      const out = join(folder, name);
      const { stdout } = await runCommand([
        'preview',
        '--data',
        data,
        '--chunk',
        '16x16x16',
        '--out',
        out,
        ...flags,
      ]);
      return { stdout, png: await readFile(out) };
    };
    const { candidates } = await loadDataset(data);
    const { training } = splitCandidates(candidates, { by: 'series' });
    const plan = epochPlan({ candidates: training, ratio: 1, epochLength: 8, runSeed: SEED, epoch: 1 });
    const shown = candidates.indexOf(training[plan[7]!]!);
    const ofOrdinal = await draw('ordinal.png', '--ordinal', '7', '--seed', String(SEED));
    const ofCandidate = await draw('candidate.png', '--candidate', String(shown), '--seed', String(SEED));
    expect(ofOrdinal.stdout.split('\n')[0]).toBe(ofCandidate.stdout.split('\n')[0]);
    expect(ofOrdinal.png.equals(ofCandidate.png)).toBe(false);
  });

  it('says which candidates there are', async () => {
    const { exitCode, stderr } = await runCommand(['preview', '--data', data, '--candidate', '999']);
    expect(exitCode).toBe(2);
    expect(stderr).toBe('lunastream: Cannot find candidate 999: the data set has candidates 0..15\n');
  });
});
