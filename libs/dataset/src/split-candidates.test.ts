import { xyzMm } from '@lunastream/volume';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Candidate } from './candidate.ts';
import { splitCandidates } from './split-candidates.ts';

const candidate = (patientId: string, isNodule: boolean, seriesUid = patientId): Candidate => ({
  seriesUid,
  patientId,
  centerXyzMm: xyzMm(0, 0, 0),
  isNodule,
  diameterMm: 0,
});
const patientsOf = (side: readonly Candidate[]) => new Set(side.map(({ patientId }) => patientId));

const anyCandidates = fc
  .array(fc.tuple(fc.integer({ min: 10, max: 40 }), fc.integer({ min: 1, max: 3 }), fc.boolean()), {
    minLength: 2,
    maxLength: 60,
  })
  .map((rows) =>
    rows.map(([patient, series, isNodule]) => candidate(`p${patient}`, isNodule, `p${patient}.${series}`)),
  );

describe('splitCandidates() by candidate', () => {
  it('gives every tenth of the list to validation, starting with the first', () => {
    const candidates = Array.from({ length: 25 }, (_, position) => candidate(`p${position}`, false));
    const { training, validation, sharedSeriesCount } = splitCandidates(candidates, { by: 'candidate' });
    expect(validation).toEqual([candidates[0], candidates[10], candidates[20]]);
    expect(training).toEqual(candidates.filter((_, position) => position % 10 !== 0));
    expect(sharedSeriesCount).toBe(0);
  });

  it('counts the series that are on both sides', () => {
    const candidates = ['a', 'a', 'b', 'b', 'b', 'c'].map((uid) => candidate(uid, false));
    const split = splitCandidates(candidates, { by: 'candidate', validationStride: 3 });
    expect(split.sharedSeriesCount).toBe(2); // positions 0 (a) and 3 (b)
  });

  it("has the sizes of LUNA16's split in the book: 495,958 and 55,107", () => {
    const one = candidate('p', false);
    const { training, validation } = splitCandidates(
      Array.from({ length: 551_065 }, () => one),
      { by: 'candidate' },
    );
    expect([training.length, validation.length]).toEqual([495_958, 55_107]);
  });
});

describe('splitCandidates() by series', () => {
  it('puts each candidate on exactly one side in its order, and no patient on both', () => {
    fc.assert(
      fc.property(anyCandidates, fc.integer({ min: 2, max: 12 }), (candidates, validationStride) => {
        fc.pre(patientsOf(candidates).size >= 2);
        const { training, validation, sharedSeriesCount } = splitCandidates(candidates, {
          by: 'series',
          validationStride,
        });
        const ofValidation = new Set(validation);
        expect(validation).toEqual(candidates.filter((item) => ofValidation.has(item)));
        expect(training).toEqual(candidates.filter((item) => !ofValidation.has(item)));
        expect([...patientsOf(validation)].filter((patient) => patientsOf(training).has(patient))).toEqual(
          [],
        );
        expect(sharedSeriesCount).toBe(0);
        expect(training.length).toBeGreaterThan(0);
        expect(validation.length).toBeGreaterThan(0);
      }),
    );
  });

  it('has nodules on both sides whenever two patients have one, and in training whenever one has', () => {
    fc.assert(
      fc.property(anyCandidates, (candidates) => {
        fc.pre(patientsOf(candidates).size >= 2);
        const nodules = candidates.filter(({ isNodule }) => isNodule);
        const { training, validation } = splitCandidates(candidates, { by: 'series' });
        const withNodule = patientsOf(nodules).size;
        expect(training.some(({ isNodule }) => isNodule)).toBe(withNodule >= 1);
        if (withNodule >= 2) expect(validation.some(({ isNodule }) => isNodule)).toBe(true);
      }),
    );
  });

  it('does not depend on the order of the candidates', () => {
    fc.assert(
      fc.property(anyCandidates, (candidates) => {
        fc.pre(patientsOf(candidates).size >= 2);
        const forward = splitCandidates(candidates, { by: 'series' });
        const backward = splitCandidates([...candidates].reverse(), { by: 'series' });
        expect(patientsOf(backward.validation)).toEqual(patientsOf(forward.validation));
      }),
    );
  });

  it('strides patients with and without nodules apart', () => {
    const numbers = Array.from({ length: 24 }, (_, number) => String(number).padStart(2, '0'));
    const candidates = numbers.map((number) => candidate(number, Number(number) < 12));
    const { validation } = splitCandidates(candidates, { by: 'series' });
    expect([...patientsOf(validation)]).toEqual(['00', '10', '12', '22']);
  });

  it('keeps the series of a patient together', () => {
    const candidates = [candidate('p1', true, 'a'), candidate('p1', false, 'b'), candidate('p2', true, 'c')];
    const { training, validation } = splitCandidates(candidates, { by: 'series' });
    expect(validation.map(({ seriesUid }) => seriesUid)).toEqual(['a', 'b']);
    expect(training.map(({ seriesUid }) => seriesUid)).toEqual(['c']);
  });

  it('keeps the only patient with a nodule in training', () => {
    const { training } = splitCandidates([candidate('a', true), candidate('b', false)], { by: 'series' });
    expect([...patientsOf(training)]).toEqual(['a']);
  });

  it('refuses a single patient and says what to do', () => {
    expect(() => splitCandidates([candidate('a', true), candidate('a', false)], { by: 'series' })).toThrow(
      'Cannot split candidates: a split by series needs 2 patients or more, got 1; use the split by candidate (--split candidate)',
    );
  });
});

describe('splitCandidates()', () => {
  it('refuses strides and lists that leave a side empty', () => {
    const two = [candidate('a', true), candidate('b', false)];
    for (const validationStride of [0, 1, -3, 2.5, Number.NaN]) {
      expect(() => splitCandidates(two, { by: 'candidate', validationStride })).toThrow(
        `the validation stride must be an integer of 2 or more, got ${validationStride}`,
      );
    }
    for (const few of [[], two.slice(1)]) {
      expect(() => splitCandidates(few, { by: 'candidate' })).toThrow(
        `need 2 candidates or more, got ${few.length}`,
      );
    }
  });
});
