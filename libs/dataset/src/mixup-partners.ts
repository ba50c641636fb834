import { RandomPurpose, RandomStream } from '@lunastream/random';
import type { Candidate } from './candidate.ts';

/** What partners are drawn from: the samples of an epoch, by ordinal, and what keys the draws. */
export interface MixupPartnersOptions {
  readonly samples: readonly Pick<Candidate, 'isNodule'>[];
  /** Unsigned 32-bit. */
  readonly runSeed: number;
  /** Unsigned 32-bit. */
  readonly epoch: number;
}

/** Stands for "no partner". */
export const NO_PARTNER = -1;

/**
 * Which sample is mixed into each sample of an epoch, by ordinal: for a nodule, any other of the epoch with equal
 * probability, nodule or not; for the others `NO_PARTNER`, as exercise 4c of the chapter mixes positives only. A pure
 * function of its arguments: the partner of an ordinal is drawn from a stream of its own.
 */
export function mixupPartners({ samples, runSeed, epoch }: MixupPartnersOptions): Int32Array {
  return Int32Array.from(samples, ({ isNodule }, ordinal) => {
    if (!isNodule || samples.length < 2) return NO_PARTNER;
    const stream = new RandomStream({ runSeed, epoch, ordinal, purpose: RandomPurpose.mixupPartner });
    const other = stream.integerBelow(samples.length - 1);
    return other < ordinal ? other : other + 1;
  });
}
