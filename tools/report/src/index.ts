export {
  COMPARED_SCORES,
  compareVariants,
  type ComparedScore,
  type ScoreOverSeeds,
  type VariantRun,
  type VariantSummary,
} from './compare-variants.ts';
export { toVariantRun, type DrawCandidate, type ReportedRun } from './build-report-data.ts';
export { ReportError } from './errors.ts';
export { classWordsOf, type ClassWords } from './class-words.ts';
export { choiceLabels, renderReport, type ReportOptions } from './render-report.ts';
export { readRunResults, type RunResults } from './run-results.ts';
export { meanScoreChoices, scoreChoices, type ScoreChoice } from './score-choices.ts';
