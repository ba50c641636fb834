export type { Batch, BatchResult, Engine, ModelState, ModelTensor } from './engine.ts';
export { STORAGES, type EngineSettings, type Storage } from './engine-settings.ts';
export { MODEL_PARTS, type ChunkShape } from './luna-model.ts';
export { createEngine, engineNames, type CreatedEngine } from './create-engine.ts';
export { modelTensors, readWeights, withNewHead, withWeights } from './interchange/import-weights.ts';
export { toLayersModel, type LayersModelFiles } from './interchange/layers-model.ts';
export { encodeSafetensors, readSafetensorsMetadata, type SafetensorsFile } from './safetensors.ts';
export { INPUT_NORMALISATIONS, type InputNormalisation } from './input-normalisation.ts';
export {
  CONSTANT_RATE,
  LEARNING_RATE_SCHEDULES,
  learningRateAt,
  type LearningRateSchedule,
  type RunPlace,
} from './learning-rate.ts';
export { hashState } from './model-state.ts';
export { OPTIMIZER_NAMES, type OptimizerName } from './optimizers.ts';
export {
  decodeCheckpoint,
  encodeCheckpoint,
  type Checkpoint,
  type CheckpointMetadata,
  type EpochProgress,
  type JsonValue,
} from './checkpoint.ts';
export {
  CorruptCheckpointError,
  EngineMemoryError,
  EngineUnavailableError,
  GpuMemoryError,
  InvalidBatchError,
  InvalidEngineSettingsError,
  ModelStateMismatchError,
} from './errors.ts';
