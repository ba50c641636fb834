import type { Candidate } from './candidate.ts';
import { SplitError } from './errors.ts';

/** Each how many-th candidate or patient is for validation, as in the book. */
export const DEFAULT_VALIDATION_STRIDE = 10;

export interface SplitOptions {
  /**
   * `series`: all candidates of a patient on one side, so that validation asks about people the model has never seen.
   * `candidate`: the book's split of the sorted list; candidates of one scan, even of one nodule, come on both sides.
   */
  readonly by: 'series' | 'candidate';
  /** Each how many-th goes to validation, starting with the first; an integer of 2 or more. Default 10. */
  readonly validationStride?: number;
}

export interface CandidateSplit {
  readonly training: readonly Candidate[];
  readonly validation: readonly Candidate[];
  /** Series with candidates on both sides: the leak. 0 when split by series. */
  readonly sharedSeriesCount: number;
}

function everyNth<Item>(items: readonly Item[], stride: number): Item[] {
  return items.filter((_, position) => position % stride === 0);
}

function countSharedSeries(training: readonly Candidate[], validation: readonly Candidate[]): number {
  const ofTraining = new Set(training.map(({ seriesUid }) => seriesUid));
  const ofValidation = new Set(validation.map(({ seriesUid }) => seriesUid));
  return [...ofValidation].filter((seriesUid) => ofTraining.has(seriesUid)).length;
}

/**
 * The patients whose candidates are for validation. Patients with a nodule and patients without are strided apart, so
 * that validation has nodules whenever two patients have. A group of one patient stays in training, unless validation
 * would be left with nobody; then it gets the one without a nodule.
 */
function chooseValidationPatients(candidates: readonly Candidate[], stride: number): Set<string> {
  const hasNodule = new Map<string, boolean>();
  for (const { patientId, isNodule } of candidates) {
    hasNodule.set(patientId, isNodule || hasNodule.get(patientId) === true);
  }
  if (hasNodule.size < 2) {
    throw new SplitError(
      `a split by series needs 2 patients or more, got ${hasNodule.size}; use the split by candidate (--split candidate)`,
    );
  }
  const patients = [...hasNodule.keys()].sort();
  const withNodule = patients.filter((patient) => hasNodule.get(patient));
  const withoutNodule = patients.filter((patient) => !hasNodule.get(patient));
  const chosen = [withNodule, withoutNodule].flatMap((group) =>
    group.length < 2 ? [] : everyNth(group, stride),
  );
  return new Set(chosen.length > 0 ? chosen : withoutNodule);
}

/**
 * Splits the candidates of a dataset, each to exactly one side; both sides keep the order they came in. `candidates` must
 * be in the book's order (as `loadDataset` gives them) for the split by candidate to be the book's, which makes it
 * stratified by label and size (chapter12-facts 1.2).
 * @throws SplitError when the stride is not an integer >= 2, when a side would be empty, and for a split by series when
 * there are fewer than two patients.
 */
export function splitCandidates(candidates: readonly Candidate[], options: SplitOptions): CandidateSplit {
  const stride = options.validationStride ?? DEFAULT_VALIDATION_STRIDE;
  if (!Number.isSafeInteger(stride) || stride < 2) {
    throw new SplitError(`the validation stride must be an integer of 2 or more, got ${stride}`);
  }
  if (candidates.length < 2) {
    throw new SplitError(`training and validation need 2 candidates or more, got ${candidates.length}`);
  }
  const patients = options.by === 'series' ? chooseValidationPatients(candidates, stride) : undefined;
  const training: Candidate[] = [];
  const validation: Candidate[] = [];
  candidates.forEach((candidate, position) => {
    const isValidation = patients?.has(candidate.patientId) ?? position % stride === 0;
    (isValidation ? validation : training).push(candidate);
  });
  return { training, validation, sharedSeriesCount: countSharedSeries(training, validation) };
}
