export {
  PhantomBackgroundError,
  PhantomCapacityError,
  PhantomError,
  PhantomSettingsError,
  PhantomTargetError,
  type PhantomErrorKind,
} from './errors.ts';
export {
  generatePhantom,
  type GeneratePhantomOptions,
  type PhantomProgress,
  type PhantomReport,
} from './generate-phantom.ts';
export type { LookAlikeKind } from './look-alikes.ts';
export {
  PHANTOM_VERSION,
  type NoduleRecord,
  type PhantomManifest,
  type SeriesRecord,
} from './phantom-manifest.ts';
export {
  DEFAULT_NEGATIVES_PER_NODULE,
  DEFAULT_SYNTHETIC_SHAPE,
  type PhantomBackground,
  type PhantomSettings,
  type RawPhantomSettings,
} from './settings.ts';
