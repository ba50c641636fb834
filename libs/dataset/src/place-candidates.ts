import { containsIrc, xyzToIrc } from '@lunastream/volume';
import { sortCandidates, type Candidate, type CandidateRow } from './candidate.ts';
import { createAnnotationMatcher, createDiameterMatcher } from './match-diameter.ts';
import type { DatasetSurvey } from './survey-dataset.ts';

/**
 * Why a candidate is not used: no scan of its series; its centre is no voxel of the scan; the scan's header is wrong, or
 * its data do not have the length the header says.
 */
export type ExclusionReason = 'missing-scan' | 'outside-scan' | 'bad-header';

export interface Exclusion {
  readonly row: CandidateRow;
  readonly reason: ExclusionReason;
}

export interface PlacedCandidates {
  /** Usable candidates in the book's order (`sortCandidates`). */
  readonly candidates: Candidate[];
  /** The others, in file order. */
  readonly exclusions: Exclusion[];
}

/**
 * Sorts the rows of `survey` into usable candidates, with patient and diameter, and exclusions. The book drops a
 * candidate without a scan silently (chapter12-facts 1.1) and crashes on one outside its scan; here both are counted.
 */
export function placeCandidates(survey: DatasetSurvey): PlacedCandidates {
  const diameterMm = createDiameterMatcher(survey.annotations);
  const malignancyOf = createAnnotationMatcher(survey.malignancy);
  const candidates: Candidate[] = [];
  const exclusions: Exclusion[] = [];
  for (const row of survey.rows) {
    const { seriesUid, centerXyzMm, isNodule } = row;
    const entry = survey.series.get(seriesUid);
    if (entry === undefined) {
      exclusions.push({ row, reason: survey.badSeries.has(seriesUid) ? 'bad-header' : 'missing-scan' });
    } else if (!containsIrc(entry.geometry.shape, xyzToIrc(entry.geometry, centerXyzMm))) {
      exclusions.push({ row, reason: 'outside-scan' });
    } else {
      const isMalignant = isNodule ? malignancyOf(seriesUid, centerXyzMm)?.isMalignant : undefined;
      candidates.push({
        seriesUid,
        patientId: entry.patientId,
        centerXyzMm,
        isNodule,
        diameterMm: diameterMm(seriesUid, centerXyzMm),
        ...(isMalignant === undefined ? {} : { isMalignant }),
      });
    }
  }
  return { candidates: sortCandidates(candidates), exclusions };
}
