/** What is learnt: which candidates are nodules, or which nodules are malignant (the book's chapter 14). */
import type { Candidate } from './candidate.ts';
import { SplitError } from './errors.ts';
import { MALIGNANCY_TABLE } from './read-malignancy.ts';
import type { CandidateSplit } from './split-candidates.ts';

export const LABELS = ['nodule', 'malignancy'] as const;
export type Labels = (typeof LABELS)[number];

const isUnknown = ({ isNodule, isMalignant }: Candidate) => isNodule && isMalignant === undefined;
const byMalignancy = (candidate: Candidate): Candidate => ({
  ...candidate,
  isNodule: candidate.isMalignant === true,
});

/**
 * Gives the candidates of a split the classes that `labels` name. By malignancy, the positives are the malignant nodules;
 * training takes benign nodules and what is no nodule as the others, validation benign nodules alone, as in the book. Nodules of
 * which nobody said are left out. The split itself does not change, so that a model that was trained to find nodules never
 * validates on patients that it knows.
 * @throws SplitError when malignancy is asked for and a side has no nodule whose malignancy is known.
 */
export function applyLabels(split: CandidateSplit, labels: Labels): CandidateSplit {
  if (labels === 'nodule') return split;
  const sides = { training: split.training, validation: split.validation };
  for (const [name, candidates] of Object.entries(sides)) {
    if (candidates.some(({ isMalignant }) => isMalignant !== undefined)) continue;
    throw new SplitError(
      `labels by malignancy need a nodule in ${name} of which ${MALIGNANCY_TABLE} says whether it is malignant, got none`,
    );
  }
  return {
    ...split,
    training: split.training.filter((candidate) => !isUnknown(candidate)).map(byMalignancy),
    validation: split.validation.filter(({ isMalignant }) => isMalignant !== undefined).map(byMalignancy),
  };
}
