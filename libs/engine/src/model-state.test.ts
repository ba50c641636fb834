import { describe, expect, it } from 'vitest';
import type { ModelState } from './engine.ts';
import { ModelStateMismatchError } from './errors.ts';
import { initialiseLunaModel } from './initialise-luna-model.ts';
import { lunaParameters } from './luna-model.ts';
import { fromModelState, hashState, startTrainingState, toModelState } from './model-state.ts';

const SPECS = lunaParameters({ depth: 16, height: 16, width: 16 });
const fresh = () => startTrainingState(initialiseLunaModel(SPECS, 1));
const state = toModelState(fresh(), SPECS);
const replaced = (index: number, change: object): ModelState =>
  state.map((tensor, i) => (i === index ? { ...tensor, ...change } : tensor));

describe('toModelState()', () => {
  it('lists parameters, running statistics and velocities in a fixed order', () => {
    const names = state.map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual([
      'tail_batchnorm.weight',
      'tail_batchnorm.bias',
      'block1.conv1.weight',
    ]);
    expect(names.slice(20, 24)).toEqual([
      'tail_batchnorm.running_mean',
      'tail_batchnorm.running_var',
      'tail_batchnorm.num_batches_tracked',
      'optimizer.momentum.tail_batchnorm.weight',
    ]);
    expect(names).toHaveLength(43);
  });

  it('copies', () => {
    const training = fresh();
    const exported = toModelState(training, SPECS);
    training.parameters[2]!.fill(9);
    expect(exported[2]!.values[0]).not.toBe(9);
  });
});

describe('fromModelState()', () => {
  it('inverts toModelState(), in any order of tensors', () => {
    const training = { ...fresh(), running: { mean: -600, variance: 150_000, batchesTracked: 12 } };
    training.slots[0]![3]!.fill(0.25);
    const shuffled = [...toModelState(training, SPECS)].reverse();
    const imported = fromModelState(shuffled, SPECS);
    expect(imported.running).toEqual(training.running);
    expect(hashState(toModelState(imported, SPECS))).toBe(hashState(toModelState(training, SPECS)));
  });

  it('keeps the two averages and the step count of Adam', () => {
    const training = startTrainingState(initialiseLunaModel(SPECS, 1), 'adam');
    training.slots[1]![4]!.fill(0.5);
    training.steps = 7;
    const exported = toModelState(training, SPECS, 'adam');
    expect(exported.at(-1)).toEqual({ name: 'optimizer.step', shape: [], values: Float32Array.of(7) });
    expect(exported).toHaveLength(64);
    const imported = fromModelState([...exported].reverse(), SPECS, 'adam');
    expect(hashState(toModelState(imported, SPECS, 'adam'))).toBe(hashState(exported));
    expect(() => fromModelState(exported, SPECS, 'sgd')).toThrow(
      /optimizer\.momentum\.tail_batchnorm\.weight/,
    );
  });

  it.each([
    ['a missing tensor', state.slice(1), /tail_batchnorm\.weight: this network needs it with shape \[1\]/],
    ['an unknown tensor', [...state, { ...state[0]!, name: 'block5.bias' }], /block5\.bias.*no such tensor/],
    ['another shape', replaced(2, { shape: [8, 3, 3, 3, 1] }), /block1\.conv1\.weight.*\[8, 1, 3, 3, 3\]/],
    ['too few values', replaced(2, { values: new Float32Array(5) }), /block1\.conv1\.weight.*5 values/],
    ['a tensor twice', [...state, { ...state[0]! }], /tail_batchnorm\.weight.*twice/],
  ])('refuses %s by name', (_, faulty: ModelState, message) => {
    expect(() => fromModelState(faulty, SPECS)).toThrow(ModelStateMismatchError);
    expect(() => fromModelState(faulty, SPECS)).toThrow(message);
  });
});

describe('hashState()', () => {
  it('changes with one bit, a name, a shape or the order', () => {
    const oneBit = state[2]!.values.slice();
    new Uint8Array(oneBit.buffer)[17]! ^= 1;
    const variants = [
      state,
      replaced(2, { values: oneBit }),
      replaced(2, { name: 'x' }),
      replaced(2, { shape: [216] }),
      [...state].reverse(),
    ];
    expect(new Set(variants.map(hashState)).size).toBe(variants.length);
    expect(hashState(toModelState(fresh(), SPECS))).toBe(hashState(state));
  });
});
