/**
 * What a model said about every candidate, as a table: the columns of a LUNA16 submission (seriesuid, coordX, coordY, coordZ,
 * probability), so that the challenge's own evaluation reads it, with label, diameter and loss beside them.
 */
import { xyzMm } from '@lunastream/volume';
import type { Candidate } from './candidate.ts';
import { throwDatasetError } from './errors.ts';
import { readCsv } from './read-csv.ts';

const COLUMNS = [
  'seriesuid',
  'coordX',
  'coordY',
  'coordZ',
  'class',
  'diameter_mm',
  'probability',
  'loss',
] as const;
/** Decimal digits that tell every float32 from its neighbours. */
const FLOAT32_DIGITS = 9;

/** A candidate and what the model said. */
export interface Prediction extends Omit<Candidate, 'patientId'> {
  /** P(nodule), 0..1; NaN of a model that diverged. */
  readonly probability: number;
  /** Cross entropy in nats; NaN of a model that diverged. */
  readonly loss: number;
}

/** P(nodule) and loss by position in a list of candidates. */
export interface CandidateResults {
  readonly probabilities: ArrayLike<number>;
  readonly losses: ArrayLike<number>;
}

function toDigits(value: number): string {
  // Number and back drops the zeros that toPrecision pads with.
  return Number.isFinite(value) ? String(Number(value.toPrecision(FLOAT32_DIGITS))) : 'nan';
}

/** The table of `candidates` and their results, in their order; equal results give equal bytes. */
export function formatPredictions(
  candidates: readonly Omit<Candidate, 'patientId'>[],
  { probabilities, losses }: CandidateResults,
): string {
  const rows = candidates.map(({ seriesUid, centerXyzMm, isNodule, diameterMm }, index) =>
    [
      seriesUid,
      ...centerXyzMm,
      Number(isNodule),
      diameterMm,
      toDigits(probabilities[index]!),
      toDigits(losses[index]!),
    ].join(','),
  );
  return `${[COLUMNS.join(','), ...rows].join('\n')}\n`;
}

/**
 * Reads a table of `formatPredictions`, in its order.
 * @throws BadCsvError naming file, line and field, MissingDatasetFileError.
 */
export async function readPredictions(path: string): Promise<Prediction[]> {
  const predictions: Prediction[] = [];
  await readCsv(path, {
    columns: COLUMNS,
    onError: throwDatasetError,
    onRow: (row) => {
      const label = row.text('class');
      if (label !== '0' && label !== '1') throw row.fault('class', 'must be 0 or 1');
      const numberOrNan = (field: 'probability' | 'loss') =>
        row.text(field) === 'nan' ? Number.NaN : row.number(field);
      predictions.push({
        seriesUid: row.text('seriesuid'),
        centerXyzMm: xyzMm(row.number('coordX'), row.number('coordY'), row.number('coordZ')),
        isNodule: label === '1',
        diameterMm: row.number('diameter_mm'),
        probability: numberOrNan('probability'),
        loss: numberOrNan('loss'),
      });
    },
  });
  return predictions;
}
