import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDataPath } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { noduleDiameterQuantileMm, sampleNoduleDiameterMm } from './nodule-diameter.ts';
import { stageStream } from '../random-stages.ts';

describe('noduleDiameterQuantileMm()', () => {
  it('runs from 3 to 30 mm and never falls', () => {
    expect(noduleDiameterQuantileMm(0)).toBe(3);
    expect(noduleDiameterQuantileMm(1)).toBe(30);
    for (let step = 1; step <= 100; step++) {
      expect(noduleDiameterQuantileMm(step / 100)).toBeGreaterThan(
        noduleDiameterQuantileMm((step - 1) / 100),
      );
    }
  });

  it.skipIf(!sharedDataPath('luna-csv'))(
    "is within 6 % of the quantiles of LUNA16's annotations [needs shared data luna-csv]",
    () => {
      const text = readFileSync(join(sharedDataPath('luna-csv')!, 'annotations.csv'), 'utf8');
      const rows = text.trim().split('\n').slice(1);
      const diametersMm = rows.map((row) => Number(row.split(',')[4])).sort((a, b) => a - b);
      for (const probability of [0.05, 0.1, 0.25, 0.4, 0.5, 0.75, 0.9, 0.95]) {
        const real = diametersMm[Math.round(probability * (diametersMm.length - 1))]!;
        expect(Math.abs(noduleDiameterQuantileMm(probability) / real - 1)).toBeLessThan(0.06);
      }
    },
  );
});

it('sampleNoduleDiameterMm() has median 6.4 and quartiles 5.1 and 9.7', () => {
  const random = stageStream(3, 0, 2);
  const drawn = Array.from({ length: 4000 }, () => sampleNoduleDiameterMm(random)).sort((a, b) => a - b);
  expect(drawn[1000]).toBeCloseTo(5.11, 0);
  expect(drawn[2000]).toBeCloseTo(6.43, 0);
  expect(Math.abs(drawn[3000]! - 9.7)).toBeLessThan(0.6);
});
