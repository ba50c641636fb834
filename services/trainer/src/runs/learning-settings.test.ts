import { describe, expect, it } from 'vitest';
import { CHAPTER_LEARNING, learningFaults, toEngineRules } from './learning-settings.ts';

describe('learningFaults()', () => {
  it('finds none in the chapter’s way', () => {
    expect(learningFaults(CHAPTER_LEARNING)).toEqual([]);
  });

  it.each<[object, string]>([
    [{ optimizer: undefined }, 'optimizer must be one of sgd, adam, adamw, got an unknown value'],
    [{ weightDecay: -1 }, 'weight decay must be a finite number of at least 0, got -1'],
    [{ largestGradientNorm: Number.NaN }, 'largest gradient norm must be a finite number above 0, got NaN'],
    [{ fineTuneDepth: 0 }, 'fine-tuning depth must be a whole number in 1..6, got 0'],
    [{ positiveWeight: 0 }, 'weight of positives must be a finite number above 0, got 0'],
    [{ focusing: Infinity }, 'focusing must be a finite number of at least 0, got Infinity'],
    [
      { inputNormalisation: 'z' },
      'input normalization must be one of batch, fixed, signed-sqrt, signed-log, tanh, got z',
    ],
    [
      { schedule: { ...CHAPTER_LEARNING.schedule, schedule: undefined } },
      'learning rate schedule must be one of constant, step, cosine, got an unknown value',
    ],
    [
      { schedule: { ...CHAPTER_LEARNING.schedule, stepEpochs: 0.5 } },
      'epochs between learning rate steps must be a whole number of at least 1, got 0.5',
    ],
    [
      { schedule: { ...CHAPTER_LEARNING.schedule, stepFactor: -1 } },
      'learning rate step factor must be a finite number above 0, got -1',
    ],
    [
      { schedule: { ...CHAPTER_LEARNING.schedule, warmupEpochs: -1 } },
      'warm-up epochs must be a finite number of at least 0, got -1',
    ],
  ])('refuses %j', (change, fault) => {
    expect(learningFaults({ ...CHAPTER_LEARNING, ...change })).toEqual([fault]);
  });
});

describe('toEngineRules()', () => {
  it('leaves the schedule, and clipping that was not asked for, out', () => {
    expect(toEngineRules(CHAPTER_LEARNING)).toEqual({
      optimizer: 'sgd',
      weightDecay: 0,
      positiveWeight: 1,
      focusing: 0,
      inputNormalisation: 'batch',
      fineTuneDepth: 6,
      activationStorage: 'float32',
    });
    expect(toEngineRules({ ...CHAPTER_LEARNING, largestGradientNorm: 2 }).largestGradientNorm).toBe(2);
  });
});
