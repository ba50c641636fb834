import type { XyzMm } from '@lunastream/volume';

/** A row of candidates.csv: a place that may be a nodule. */
export interface CandidateRow {
  /** Line of candidates.csv, from 1. */
  readonly line: number;
  readonly seriesUid: string;
  readonly centerXyzMm: XyzMm;
  readonly isNodule: boolean;
}

/** A candidate that can be trained on: its scan is there and holds its centre. */
export interface Candidate {
  readonly seriesUid: string;
  /** Equal for all series of one person; the series' own uid where nobody said whose it is. */
  readonly patientId: string;
  readonly centerXyzMm: XyzMm;
  /** Its class, positive or not; after `applyLabels` by malignancy, whether it is a malignant nodule. */
  readonly isNodule: boolean;
  /** Of a nodule, where radiologists said (`readMalignancy`); undefined of anything else. */
  readonly isMalignant?: boolean | undefined;
  /** Of the annotated nodule it belongs to; 0 where there is none (`createDiameterMatcher`). */
  readonly diameterMm: number;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Order of the book's candidate list, ascending: label, diameter, series uid, centre x, y, z. */
export function compareCandidates(a: Candidate, b: Candidate): number {
  return (
    Number(a.isNodule) - Number(b.isNodule) ||
    a.diameterMm - b.diameterMm ||
    compareText(a.seriesUid, b.seriesUid) ||
    a.centerXyzMm[0] - b.centerXyzMm[0] ||
    a.centerXyzMm[1] - b.centerXyzMm[1] ||
    a.centerXyzMm[2] - b.centerXyzMm[2]
  );
}

/**
 * Sorts in place as the book does, all keys descending (chapter12-facts 1.1), and returns `candidates`. Stable: equal
 * candidates keep their order. Nodules come first, the largest of them first.
 */
export function sortCandidates(candidates: Candidate[]): Candidate[] {
  return candidates.sort((a, b) => compareCandidates(b, a));
}
