export { CorruptEventFileError } from './errors.ts';
export { EventWriter, type EventWriterOptions } from './event-writer.ts';
export type { GrayImage } from './gray-png.ts';
export type { ScoredLabels } from './pr-curve.ts';
export {
  readEvents,
  type EventValue,
  type ReadEvent,
  type ReadHistogram,
  type ReadImage,
  type ReadTensor,
} from './read-events.ts';
export {
  EXPONENTIAL_EDGES,
  grayImage,
  histogram,
  linearEdges,
  prCurve,
  scalar,
  type SummaryValue,
} from './summary-values.ts';
