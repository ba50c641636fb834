import { formatPredictions, type Prediction } from '@lunastream/dataset';
import { summarizeEpoch, toEpochRecord, type EpochRecord } from '@lunastream/metrics';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Validation of 4 nodules and 6 others; probabilities that a model gives them, by epoch. */
export const LABELS = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0];
export const EPOCH_PROBABILITIES: readonly (readonly number[])[] = [
  [0.6, 0.6, 0.4, 0.2, 0.7, 0.4, 0.3, 0.2, 0.1, 0.1],
  [0.9, 0.8, 0.6, 0.4, 0.6, 0.3, 0.2, 0.1, 0.1, 0.05],
  [0.95, 0.9, 0.3, 0.2, 0.2, 0.1, 0.05, 0.04, 0.02, 0.01],
];

const lossesOf = (probabilities: readonly number[]) =>
  probabilities.map((probability, index) => -Math.log(LABELS[index] === 1 ? probability : 1 - probability));

/** A training record and one of validation for each epoch. */
export function exampleRecords(): EpochRecord[] {
  return EPOCH_PROBABILITIES.flatMap((probabilities, index) =>
    (['trn', 'val'] as const).map((split) => {
      const results = {
        epoch: index + 1,
        split,
        labels: LABELS,
        probabilities,
        losses: lossesOf(probabilities),
      };
      return toEpochRecord(summarizeEpoch({ ...results, threshold: 0.5 }), 100 * (index + 1));
    }),
  );
}

const candidates: Omit<Prediction, 'probability' | 'loss'>[] = LABELS.map((label, index) => ({
  seriesUid: `1.2.840.${index}`,
  centerXyzMm: [index, 0, 0] as unknown as Prediction['centerXyzMm'],
  isNodule: label === 1,
  diameterMm: label === 1 ? 10 - index : 0,
}));

/** Writes a run's folder as a trainer leaves it; its best epoch by F1 is the second. */
export async function writeExampleRun(
  folder: string,
  { seed, comment, labels }: { seed: number; comment: string; labels?: string },
) {
  await mkdir(join(folder, 'predictions'), { recursive: true });
  const record = {
    runId: `p2ch12/${comment}`,
    startedAt: '2026-11-23T09:05:13.042Z',
    settings: { seed, comment, score: 'f1', threshold: 0.5, labels },
    datasetFingerprint: 'f00d',
    engine: { name: 'simd', device: 'a test' },
    versions: { lunastream: '0.1.0', node: '20.19.0' },
  };
  await writeFile(join(folder, 'run.json'), JSON.stringify(record));
  await writeFile(
    join(folder, 'status.json'),
    JSON.stringify({ state: 'finished', message: '', bestEpoch: 2 }),
  );
  const lines = exampleRecords().map((line) => `${JSON.stringify(line)}\n`);
  await writeFile(join(folder, 'epochs.jsonl'), lines.join(''));
  const probabilities = EPOCH_PROBABILITIES[1]!;
  const table = formatPredictions(candidates, { probabilities, losses: lossesOf(probabilities) });
  await writeFile(join(folder, 'predictions', 'best.csv'), table);
}
