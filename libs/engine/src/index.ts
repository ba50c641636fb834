export type { Batch, BatchResult, Engine, ModelState, ModelTensor } from './engine.ts';
export type { EngineSettings } from './engine-settings.ts';
export type { ChunkShape } from './luna-model.ts';
export { createEngine, engineNames, type CreatedEngine } from './create-engine.ts';
export { modelTensors, readWeights, withWeights } from './interchange/import-weights.ts';
export { toLayersModel, type LayersModelFiles } from './interchange/layers-model.ts';
export { hashState } from './model-state.ts';
export { encodeSafetensors, type SafetensorsFile } from './safetensors.ts';
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
  InvalidBatchError,
  InvalidEngineSettingsError,
  ModelStateMismatchError,
} from './errors.ts';
