import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mixupPartners, NO_PARTNER } from './mixup-partners.ts';

const samplesOf = (classes: readonly boolean[]) => classes.map((isNodule) => ({ isNodule }));

describe('mixupPartners()', () => {
  it('gives nodules a partner that is not themselves, and others none', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 2, maxLength: 60 }),
        fc.nat(),
        fc.nat(),
        (classes, runSeed, epoch) => {
          const partners = mixupPartners({ samples: samplesOf(classes), runSeed, epoch });
          partners.forEach((partner, ordinal) => {
            if (!classes[ordinal]) expect(partner).toBe(NO_PARTNER);
            else {
              expect(partner).not.toBe(ordinal);
              expect(classes[partner]).toBeDefined();
            }
          });
        },
      ),
    );
  });

  it('draws every other sample about equally often', () => {
    const samples = samplesOf(Array.from({ length: 5 }, () => true));
    const counts = [0, 0, 0, 0, 0];
    for (let epoch = 1; epoch <= 4000; epoch++) counts[mixupPartners({ samples, runSeed: 3, epoch })[2]!]!++;
    // Of 4000 draws among four: 1000 each, standard deviation 27.
    expect(counts[2]).toBe(0);
    for (const at of [0, 1, 3, 4]) expect(Math.abs(counts[at]! - 1000)).toBeLessThan(5 * 27);
  });

  it('draws the same for the same key, other partners in another epoch', () => {
    const samples = samplesOf(Array.from({ length: 40 }, (_, ordinal) => ordinal % 2 === 0));
    const first = mixupPartners({ samples, runSeed: 3, epoch: 1 });
    expect(mixupPartners({ samples, runSeed: 3, epoch: 1 })).toEqual(first);
    expect(mixupPartners({ samples, runSeed: 3, epoch: 2 })).not.toEqual(first);
  });

  it('finds no partner for a sample that is alone', () => {
    expect([...mixupPartners({ samples: samplesOf([true]), runSeed: 3, epoch: 1 })]).toEqual([NO_PARTNER]);
  });
});
