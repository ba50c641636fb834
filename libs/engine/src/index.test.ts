import * as engine from './index.ts';
import { expect, it } from 'vitest';

it('@lunastream/engine exports these values and no others', () => {
  expect(Object.keys(engine).sort()).toEqual([
    'CONSTANT_RATE',
    'CorruptCheckpointError',
    'EngineMemoryError',
    'EngineUnavailableError',
    'GpuMemoryError',
    'INPUT_NORMALISATIONS',
    'InvalidBatchError',
    'InvalidEngineSettingsError',
    'LEARNING_RATE_SCHEDULES',
    'MODEL_PARTS',
    'ModelStateMismatchError',
    'OPTIMIZER_NAMES',
    'STORAGES',
    'createEngine',
    'decodeCheckpoint',
    'encodeCheckpoint',
    'encodeSafetensors',
    'engineNames',
    'hashState',
    'learningRateAt',
    'modelTensors',
    'readSafetensorsMetadata',
    'readWeights',
    'toLayersModel',
    'withNewHead',
    'withWeights',
  ]);
});
