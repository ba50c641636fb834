import * as engine from './index.ts';
import { expect, it } from 'vitest';

it('@lunastream/engine exports these values and no others', () => {
  expect(Object.keys(engine).sort()).toEqual([
    'CorruptCheckpointError',
    'EngineMemoryError',
    'EngineUnavailableError',
    'InvalidBatchError',
    'InvalidEngineSettingsError',
    'ModelStateMismatchError',
    'createEngine',
    'decodeCheckpoint',
    'encodeCheckpoint',
    'encodeSafetensors',
    'engineNames',
    'hashState',
    'modelTensors',
    'readWeights',
    'toLayersModel',
    'withWeights',
  ]);
});
