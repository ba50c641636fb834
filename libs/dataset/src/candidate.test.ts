import { xyzMm } from '@lunastream/volume';
import { describe, expect, it } from 'vitest';
import { sortCandidates, type Candidate } from './candidate.ts';

const candidate = (
  isNodule: boolean,
  diameterMm: number,
  seriesUid: string,
  center: [number, number, number],
) => ({
  isNodule,
  diameterMm,
  seriesUid,
  patientId: seriesUid,
  centerXyzMm: xyzMm(...center),
});

describe('sortCandidates()', () => {
  it('sorts by label, diameter, uid and centre, all descending', () => {
    const sorted: Candidate[] = [
      candidate(true, 9, 'a', [0, 0, 0]),
      candidate(true, 4, 'b', [0, 0, 0]),
      candidate(true, 4, 'a.9', [0, 0, 0]), // text order: 9 after 10
      candidate(true, 4, 'a.10', [2, 0, 0]),
      candidate(true, 4, 'a.10', [1, 9, 0]),
      candidate(true, 4, 'a.10', [1, 2, 8]),
      candidate(true, 4, 'a.10', [1, 2, -8]),
      candidate(false, 30, 'z', [9, 9, 9]),
      candidate(false, 0, 'z', [9, 9, 9]),
    ];
    for (let shift = 0; shift < sorted.length; shift++) {
      const turned = [...sorted.slice(shift), ...sorted.slice(0, shift)].reverse();
      expect(sortCandidates(turned)).toEqual(sorted);
    }
  });

  it('keeps equal candidates in their order', () => {
    const twins = [0, 1, 2].map(() => candidate(true, 4, 'a', [1, 2, 3]));
    const sorted = sortCandidates([...twins]);
    sorted.forEach((twin, position) => expect(twin).toBe(twins[position]));
  });
});
