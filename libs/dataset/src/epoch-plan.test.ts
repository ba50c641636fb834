import { RandomPurpose, RandomStream } from '@lunastream/random';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_BALANCED_EPOCH_LENGTH, epochPlan } from './epoch-plan.ts';

/** `true` is a nodule. */
const candidatesOf = (labels: readonly boolean[]) => labels.map((isNodule) => ({ isNodule }));
const mixed = candidatesOf(Array.from({ length: 50 }, (_, index) => index % 7 === 0));
const KEY = { runSeed: 42, epoch: 1 };
const ascending = (plan: ArrayLike<number>) => Array.from(plan).sort((a, b) => a - b);

const plans = fc.record({
  labels: fc
    .array(fc.boolean(), { minLength: 2, maxLength: 60 })
    .filter((labels) => labels.includes(true) && labels.includes(false)),
  ratio: fc.integer({ min: 1, max: 9 }),
  epochLength: fc.integer({ min: 1, max: 300 }),
  runSeed: fc.nat(),
  epoch: fc.nat({ max: 1000 }),
});

describe('epochPlan() balanced', () => {
  it.each([
    [1, '+-+-+-'],
    [2, '+--+--'],
    [3, '+---+-'],
  ])('ratio %i shows %s', (ratio, pattern) => {
    const plan = epochPlan({ ...KEY, candidates: mixed, ratio, epochLength: 6 });
    expect(Array.from(plan, (index) => (mixed[index]!.isNodule ? '+' : '-')).join('')).toBe(pattern);
  });

  it('is positive at every (N+1)th ordinal, and each class repeats only after all of it was shown', () => {
    fc.assert(
      fc.property(plans, ({ labels, ...settings }) => {
        const plan = [...epochPlan({ ...settings, candidates: candidatesOf(labels) })];
        expect(plan.length).toBe(settings.epochLength);
        plan.forEach((index, ordinal) => expect(labels[index]).toBe(ordinal % (settings.ratio + 1) === 0));
        for (const isNodule of [true, false]) {
          const shown = plan.filter((index) => labels[index] === isNodule);
          const classSize = labels.filter((label) => label === isNodule).length;
          shown.forEach((index, turn) => expect(index).toBe(shown[turn % classSize]));
          expect(new Set(shown).size).toBe(Math.min(classSize, shown.length));
        }
      }),
    );
  });

  it('lets benign nodules and other negatives take turns: at ratio 1 half are malignant, a quarter benign', () => {
    const kinds = { mal: [true, true], ben: [false, false], neg: [false, undefined] } as const;
    const names = ['mal', 'neg', 'neg', 'ben', 'neg', 'mal', 'ben', 'neg', 'neg'] as const;
    const candidates = names.map((name) => ({ isNodule: kinds[name][0], isMalignant: kinds[name][1] }));
    const shown = (ratio: number, epochLength: number) =>
      [...epochPlan({ ...KEY, candidates, ratio, epochLength })].map((index) => names[index]!);
    expect(shown(1, 8)).toEqual(['mal', 'ben', 'mal', 'neg', 'mal', 'ben', 'mal', 'neg']);
    expect(shown(3, 8)).toEqual(['mal', 'ben', 'neg', 'ben', 'mal', 'neg', 'ben', 'neg']);
    const plan = epochPlan({ ...KEY, candidates, ratio: 0, sampler: 'weighted', epochLength: 40_000 });
    const share = (name: string) => plan.filter((index) => names[index] === name).length / plan.length;
    // Five standard deviations of a share of 40,000 draws are 0.0125 at most.
    expect(Math.abs(share('mal') - 0.5)).toBeLessThan(0.0125);
    expect(Math.abs(share('ben') - 0.25)).toBeLessThan(0.0125);
  });

  it('is a pure function of its key: equal for equal keys, another order in each epoch and for each seed', () => {
    const balanced = { candidates: mixed, ratio: 1, epochLength: 60 };
    const first = epochPlan({ ...balanced, ...KEY });
    expect(epochPlan({ ...balanced, ...KEY })).toEqual(first);
    const orders = [
      first,
      epochPlan({ ...balanced, ...KEY, epoch: 2 }),
      epochPlan({ ...balanced, ...KEY, runSeed: 7 }),
    ];
    for (const remainder of [0, 1]) {
      const ofClass = orders.map((order) => order.filter((_, ordinal) => ordinal % 2 === remainder).join());
      expect(new Set(ofClass).size).toBe(3);
    }
  });

  it('starts at the head of each class as shuffled by its own purpose: recorded runs depend on it', () => {
    const shuffledOfClass = (isNodule: boolean, purpose: RandomPurpose) =>
      new RandomStream({ ...KEY, ordinal: 0, purpose }).shuffle(
        mixed.flatMap((candidate, index) => (candidate.isNodule === isNodule ? [index] : [])),
      );
    const positives = shuffledOfClass(true, RandomPurpose.positiveOrder);
    const negatives = shuffledOfClass(false, RandomPurpose.negativeOrder);
    const plan = epochPlan({ ...KEY, candidates: mixed, ratio: 2, epochLength: 6 });
    expect([...plan]).toEqual([
      positives[0],
      negatives[0],
      negatives[1],
      positives[1],
      negatives[2],
      negatives[3],
    ]);
  });

  it('gives a batch of 32 at ratio 1 exactly 16 of each class, wherever it starts', () => {
    const plan = epochPlan({ ...KEY, candidates: mixed, ratio: 1, epochLength: 320 });
    for (let start = 0; start < plan.length; start += 32) {
      const nodules = plan.subarray(start, start + 32).filter((index) => mixed[index]!.isNodule);
      expect(nodules.length).toBe(16);
    }
  });

  it('has 200,000 samples by default', () => {
    expect(epochPlan({ ...KEY, candidates: mixed, ratio: 1 }).length).toBe(DEFAULT_BALANCED_EPOCH_LENGTH);
    expect(DEFAULT_BALANCED_EPOCH_LENGTH).toBe(200_000);
  });

  it('refuses an empty class by name', () => {
    for (const [label, missing] of [
      [false, 'positive (class 1)'],
      [true, 'negative (class 0)'],
    ] as const) {
      expect(() => epochPlan({ ...KEY, candidates: candidatesOf([label, label]), ratio: 1 })).toThrow(
        `Cannot plan an epoch: candidates must hold both classes to be balanced, got no ${missing} one`,
      );
    }
  });
});

describe('epochPlan() unbalanced', () => {
  it('shows each candidate once, in one shuffled order that all epochs share', () => {
    const first = epochPlan({ ...KEY, candidates: mixed, ratio: 0 });
    expect(ascending(first)).toEqual(mixed.map((_, index) => index));
    expect([...first]).not.toEqual(ascending(first));
    expect(epochPlan({ ...KEY, epoch: 9, candidates: mixed, ratio: 0 })).toEqual(first);
    expect(epochPlan({ ...KEY, runSeed: 43, candidates: mixed, ratio: 0 })).not.toEqual(first);
  });

  it('with a length of its own goes on where the epoch before stopped', () => {
    const fixed = epochPlan({ ...KEY, candidates: mixed, ratio: 0 });
    const shown = [0, 1, 2, 3, 4, 5].flatMap((epoch) => [
      ...epochPlan({ ...KEY, epoch, candidates: mixed, ratio: 0, epochLength: 20 }),
    ]);
    expect(shown).toEqual(Array.from({ length: 120 }, (_, turn) => fixed[turn % 50]));
  });

  it('works with one class only', () => {
    expect(epochPlan({ ...KEY, candidates: candidatesOf([false, false]), ratio: 0 }).length).toBe(2);
  });
});

describe('epochPlan()', () => {
  it.each([
    [{ ratio: -1 }, 'ratio must be an integer of 0 (unbalanced) or more, got -1'],
    [{ ratio: 1.5 }, 'ratio must be an integer of 0 (unbalanced) or more, got 1.5'],
    [{ ratio: Number.NaN }, 'ratio must be an integer of 0 (unbalanced) or more, got NaN'],
    [{ epochLength: 0 }, 'epochLength must be a positive integer, got 0'],
    [{ epochLength: 2.5 }, 'epochLength must be a positive integer, got 2.5'],
    [{ candidates: [] }, 'candidates must not be empty, got none'],
  ])('refuses %j', (change, rule) => {
    expect(() => epochPlan({ ...KEY, candidates: mixed, ratio: 0, ...change })).toThrow(rule);
  });
});

describe('epochPlan() by a schedule of the ratio', () => {
  const scheduled = { candidates: mixed, ratio: 0, ratioSchedule: 'epoch < 3 ? 1 : 2', epochLength: 12 };
  const patternOf = (epoch: number) =>
    Array.from(epochPlan({ ...scheduled, runSeed: 42, epoch }), (index) =>
      mixed[index]!.isNodule ? '+' : '-',
    ).join('');

  it('is the plan of the ratio that the schedule gives for its epoch', () => {
    expect([1, 2, 3, 4].map(patternOf)).toEqual([
      '+-+-+-+-+-+-',
      '+-+-+-+-+-+-',
      '+--+--+--+--',
      '+--+--+--+--',
    ]);
    const key = { runSeed: 42, epoch: 3 };
    expect(epochPlan({ ...scheduled, ...key })).toEqual(
      epochPlan({ ...key, candidates: mixed, ratio: 2, epochLength: 12 }),
    );
  });

  it('has the natural length in epochs of ratio 0, and 200,000 samples in the others, unless told', () => {
    const options = { candidates: mixed, ratio: 0, ratioSchedule: '0,1', runSeed: 42 };
    expect([1, 2].map((epoch) => epochPlan({ ...options, epoch }).length)).toEqual([50, 200_000]);
  });
});

describe('epochPlan() weighted', () => {
  const weighted = { candidates: mixed, ratio: 0, sampler: 'weighted', epochLength: 20_000 } as const;

  it('draws both classes equally often, and each candidate of a class too, within five standard deviations', () => {
    const plan = epochPlan({ ...weighted, ...KEY });
    const counts = mixed.map(() => 0);
    for (const index of plan) counts[index]!++;
    const within = (count: number, share: number) => {
      const deviation = Math.sqrt(plan.length * share * (1 - share));
      expect(Math.abs(count - plan.length * share)).toBeLessThan(5 * deviation);
    };
    const positives = mixed.filter(({ isNodule }) => isNodule).length;
    within(
      counts.reduce((sum, count, index) => sum + (mixed[index]!.isNodule ? count : 0), 0),
      1 / 2,
    );
    counts.forEach((count, index) =>
      within(count, 1 / (2 * (mixed[index]!.isNodule ? positives : mixed.length - positives))),
    );
  });

  it('is a pure function of its key', () => {
    expect(epochPlan({ ...weighted, ...KEY })).toEqual(epochPlan({ ...weighted, ...KEY }));
    expect(epochPlan({ ...weighted, ...KEY, epoch: 2 })).not.toEqual(epochPlan({ ...weighted, ...KEY }));
  });

  it('has 200,000 samples by default, as other balanced epochs', () => {
    expect(epochPlan({ ...KEY, candidates: mixed, ratio: 0, sampler: 'weighted' }).length).toBe(200_000);
  });

  it('refuses a ratio of its own, an empty class and an unknown sampler', () => {
    expect(() => epochPlan({ ...weighted, ...KEY, ratio: 2 })).toThrow(
      'ratio must be 0 for the weighted sampler, which balances by itself, got 2',
    );
    expect(() => epochPlan({ ...weighted, ...KEY, candidates: candidatesOf([true]) })).toThrow(
      'got no negative (class 0) one',
    );
    expect(() => epochPlan({ ...weighted, ...KEY, sampler: 'sorted' as never })).toThrow(
      'sampler must be one of shuffled, weighted, got sorted',
    );
  });
});
