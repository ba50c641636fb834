import { describe, expect, it } from 'vitest';
import { detectOverfitting, type Overfitting } from '../src/index.ts';
import { readDocumentTable } from './document-table.ts';
import { BOOK_VAL_POS, SHAPES, simulateRun, type LossNoise, type Shape } from './simulated-curves.ts';

/** Columns of the table in docs/overfitting.md. */
const NOISES: Readonly<Record<string, LossNoise>> = {
  '10 %': { deviation: 0.1, correlation: 0 },
  '20 %': { deviation: 0.2, correlation: 0 },
  '10 %, lasting': { deviation: 0.1, correlation: 0.5 },
  '20 %, lasting': { deviation: 0.2, correlation: 0.5 },
};
const HEALTHY = ['no progress', 'falls to a plateau', 'keeps falling'];
const RUNS = 100;

/** The first warnings of 100 runs, of those that get one, with a look after every epoch. */
function firstWarnings(shape: Shape, epochs: number, noise: LossNoise): Overfitting[] {
  return Array.from({ length: RUNS }, (_, run) => {
    const records = simulateRun(shape, epochs, noise, run);
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const overfitting = detectOverfitting(records.slice(0, 2 * epoch));
      if (overfitting !== undefined) return overfitting;
    }
    return undefined;
  }).filter((overfitting) => overfitting !== undefined);
}

/** The most false alarms that noise without memory can make, whatever its distribution: the sum over all looks. */
function alarmBound(epochs: number): number {
  let bound = 0;
  for (let look = 6; look <= epochs; look++) bound += 0.05 / look;
  return bound;
}

describe('detectOverfitting() on simulated runs', () => {
  const rows = readDocumentTable('docs/overfitting.md', 'val loss/pos');

  it.each(rows.map((row) => [row['val loss/pos']!, Number(row['epochs']), row] as const))(
    'warns in as many runs as docs/overfitting.md says: %s, %i epochs',
    (name, epochs, row) => {
      const warned = Object.fromEntries(
        Object.entries(NOISES).map(([column, noise]) => [
          column,
          firstWarnings(SHAPES[name]!, epochs, noise).length,
        ]),
      );
      expect(warned).toEqual(
        Object.fromEntries(Object.keys(NOISES).map((column) => [column, Number(row[column])])),
      );
      if (HEALTHY.includes(name)) {
        expect(warned['10 %']! / RUNS).toBeLessThan(alarmBound(epochs));
        expect(warned['20 %']! / RUNS).toBeLessThan(alarmBound(epochs));
      }
    },
  );

  it("has the book's losses in its other table", () => {
    const book = readDocumentTable('docs/overfitting.md', 'epoch');
    expect(book.map((row) => [Number(row['epoch']), Number(row['val_pos loss'])])).toEqual(BOOK_VAL_POS);
  });

  it('covers all shapes, healthy and not', () => {
    expect(new Set(rows.map((row) => row['val loss/pos']))).toEqual(new Set(Object.keys(SHAPES)));
  });

  it("warns about the book's run by epoch 9 in most runs and advises one of the first five epochs", () => {
    const noise = NOISES['10 %']!;
    const warnings = firstWarnings(SHAPES['the book']!, 20, noise);
    expect(warnings.filter(({ epoch }) => epoch <= 9).length).toBeGreaterThan(RUNS / 2);
    for (const { keepEpoch, rise } of warnings) {
      expect(keepEpoch).toBeLessThanOrEqual(5);
      expect(rise).toBeGreaterThan(0.2);
    }
  });
});
