import { RandomPurpose, RandomStream } from '@lunastream/random';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  competitionPerformance,
  cpmInterval,
  FROC_RATES,
  frocCurve,
  type Finding,
  type ScanFindings,
} from './froc.ts';

function streamOf(ordinal: number): RandomStream {
  return new RandomStream({ runSeed: 16, epoch: 0, ordinal, purpose: RandomPurpose.phantom });
}

/** Hits as [probability, nodule], false positives as probabilities. */
function scan(
  noduleCount: number,
  hits: readonly [number, number][],
  others: readonly number[],
): ScanFindings {
  const findings: Finding[] = hits.map(([probability, nodule]) => ({ probability, nodule }));
  return {
    noduleCount,
    findings: [...findings, ...others.map((probability) => ({ probability, nodule: undefined }))],
  };
}

// Two scans without nodules, a nodule with two findings, one without any, and many ties.
const SCANS = [
  scan(2, [[0.9, 0], [0.7, 1]], [0.8, 0.2, 0.1, 0.8, 0.5, 0.9]),
  scan(0, [], [0.4, 0.4, 0.8, 0.9, 0.9, 0.8, 0.7]),
  scan(3, [[0.6, 0], [0.9, 1], [0.95, 2], [0.5, 2]], [0.2, 0.3, 0.1, 0.5, 0.1]),
  scan(1, [[0.8, 0]], [0.7, 0.7, 0.7, 0.8, 0.3, 0.6, 0.2, 0.1]),
  scan(2, [[0.8, 0], [0.7, 1]], [0.7, 0.5, 0.7, 0.9, 0.7, 0.6]),
  scan(0, [], [0.9, 0.7, 0.4, 0.6, 0.1]),
]; // prettier-ignore
const MISSING_ONE = SCANS.with(3, { ...SCANS[3]!, noduleCount: 2 });

const finding = fc.record({
  probability: fc.integer({ min: 0, max: 20 }).map((n) => n / 20),
  nodule: fc.option(fc.nat(2), { nil: undefined }),
});
const someScans = fc.array(
  fc.record({ noduleCount: fc.constant(3), findings: fc.array(finding, { maxLength: 30 }) }),
  { minLength: 1, maxLength: 4 },
);

describe('competitionPerformance()', () => {
  // The challenge's way in NumPy and scikit-learn 1.9.1: fpr, tpr, _ = roc_curve(hit, p); fps = fpr * false / 6;
  // sens = tpr * found / nodules; np.interp([1/8, 1/4, 1/2, 1, 2, 4, 8], fps, sens).
  it("has the sensitivities of the challenge's calculation", () => {
    const { cpm, sensitivities } = competitionPerformance(SCANS)!;
    const expected = [0.1625, 0.2, 0.275, 0.425, 0.6875, 1, 1];
    for (const [place, value] of expected.entries()) expect(sensitivities[place]).toBeCloseTo(value, 12);
    expect(cpm).toBeCloseTo(0.5357142857142857, 12);
  });

  it('counts a nodule without a finding as missed at every rate', () => {
    const all = competitionPerformance(SCANS)!.sensitivities;
    const { sensitivities } = competitionPerformance(MISSING_ONE)!;
    for (const [place, value] of all.entries()) expect(sensitivities[place]).toBeCloseTo((value * 8) / 9, 12);
  });

  it('reads the FROC curve: straight lines between thresholds, the last value beyond it', () => {
    fc.assert(
      fc.property(someScans, (scans) => {
        const curve = frocCurve(scans);
        const expected = FROC_RATES.map((rate) => {
          const after = curve.findIndex((point) => point.falsePositivesPerScan > rate);
          if (after === -1) return curve.at(-1)!.sensitivity;
          const [a, b] = [curve[after - 1]!, curve[after]!];
          const share =
            (rate - a.falsePositivesPerScan) / (b.falsePositivesPerScan - a.falsePositivesPerScan);
          return a.sensitivity + share * (b.sensitivity - a.sensitivity);
        });
        const { sensitivities } = competitionPerformance(scans)!;
        for (const [place, value] of expected.entries()) expect(sensitivities[place]).toBeCloseTo(value, 12);
      }),
    );
  });

  it('keeps its value under increasing transforms and in any order of scans and findings', () => {
    fc.assert(
      fc.property(someScans, (scans) => {
        const changed = scans
          .map(({ noduleCount, findings }) => ({
            noduleCount,
            findings: findings
              .map(({ probability, nodule }) => ({ probability: probability ** 3 / 2, nodule }))
              .reverse(),
          }))
          .reverse();
        expect(competitionPerformance(changed)).toEqual(competitionPerformance(scans));
      }),
    );
  });

  it('is 1 for a detector without false positives that finds all, 0 for one that finds nothing', () => {
    expect(competitionPerformance([scan(1, [[0.3, 0]], [])])!.cpm).toBe(1);
    expect(competitionPerformance([scan(1, [], [0.3])])!.cpm).toBe(0);
    expect(competitionPerformance([scan(1, [], [])])!.cpm).toBe(0);
  });

  it('takes a probability that is not finite for no finding', () => {
    const diverged = [scan(2, [[Number.NaN, 0], [0.5, 1]], [Infinity, Number.NaN])]; // prettier-ignore
    expect(competitionPerformance(diverged)!.cpm).toBe(0.5);
  });

  it('is undefined without nodules', () => {
    expect(competitionPerformance([])).toBeUndefined();
    expect(competitionPerformance([scan(0, [], [0.5])])).toBeUndefined();
    expect(frocCurve([scan(0, [], [0.5])])).toEqual([]);
  });

  it.each([
    [scan(-1, [], []), 'scans[0].noduleCount must be an integer of 0 or more, got -1'],
    [scan(1.5, [], []), 'scans[0].noduleCount must be an integer of 0 or more, got 1.5'],
    [scan(2, [[0.5, 2]], []), 'scans[0] has a finding whose nodule must be an integer in 0..1, got 2'],
  ])('refuses %j', (bad, message) => {
    expect(() => competitionPerformance([bad])).toThrow(`Cannot compute an FROC curve: ${message}`);
    expect(() => frocCurve([bad])).toThrow(message);
  });
});

describe('frocCurve()', () => {
  it('counts one hit for a nodule with several findings, at the most probable, and no false positive', () => {
    const scans = [scan(2, [[0.5, 0], [0.75, 0]], [0.25]), scan(0, [], [])]; // prettier-ignore
    expect(frocCurve(scans)).toEqual([
      { threshold: 1, falsePositivesPerScan: 0, sensitivity: 0 },
      { threshold: 0.5, falsePositivesPerScan: 0, sensitivity: 0.5 },
      { threshold: 0.125, falsePositivesPerScan: 0.5, sensitivity: 0.5 },
    ]);
  });
});

describe('cpmInterval()', () => {
  it('is the same for the same stream key, and another for another', () => {
    const interval = cpmInterval(SCANS, { stream: streamOf(0) });
    expect(cpmInterval(SCANS, { stream: streamOf(0) })).toEqual(interval);
    expect(cpmInterval(SCANS, { stream: streamOf(1) })).not.toEqual(interval);
  });

  it('leaves out as many results of redrawn scans on either side', () => {
    const scans = SCANS.filter(({ noduleCount }) => noduleCount > 0);
    const stream = streamOf(7);
    const results = Array.from({ length: 20 }, () => {
      const drawn = scans.map(() => scans[stream.integerBelow(scans.length)]!);
      return competitionPerformance(drawn)!.cpm;
    }).sort((a, b) => a - b);
    const { low, high } = cpmInterval(scans, { stream: streamOf(7), resamples: 20, confidence: 0.9 })!;
    // Neighbours differ, so that one place more or less would show.
    for (const place of [0, 1, 17, 18]) expect(results[place]).toBeLessThan(results[place + 1]! - 1e-9);
    expect(low).toBeCloseTo(results[1]!, 12);
    expect(high).toBeCloseTo(results[18]!, 12);
  });

  it('holds the value and grows with the confidence', () => {
    const { cpm } = competitionPerformance(SCANS)!;
    const half = cpmInterval(SCANS, { stream: streamOf(0), confidence: 0.5 })!;
    const most = cpmInterval(SCANS, { stream: streamOf(0), confidence: 0.99 })!;
    expect(half.low).toBeLessThan(cpm);
    expect(half.high).toBeGreaterThan(cpm);
    expect(most.low).toBeLessThan(half.low);
    expect(most.high).toBeGreaterThan(half.high);
  });

  it('is one point where every scan is the same', () => {
    const scans = Array.from({ length: 5 }, () => scan(2, [[0.9, 0]], [0.1]));
    expect(cpmInterval(scans, { stream: streamOf(0), resamples: 50 })).toEqual({ low: 0.5, high: 0.5 });
  });

  it('draws again where a draw has no nodule', () => {
    const scans = [scan(1, [[0.9, 0]], []), scan(0, [], [0.1]), scan(0, [], [0.1])];
    expect(cpmInterval(scans, { stream: streamOf(0), resamples: 50 })).toEqual({ low: 1, high: 1 });
  });

  it('holds the true value in about 95 of 100 simulated studies', () => {
    // A nodule is found above a false positive's probability with a chance that the simulation sets.
    const simulate = (stream: RandomStream, scans: number) =>
      Array.from({ length: scans }, () => {
        const hits: [number, number][] = [0, 1].map((nodule) => [1 - stream.uniform() ** 2, nodule]);
        const others = Array.from({ length: 10 }, () => stream.uniform() ** 2);
        return scan(2, hits, others);
      });
    const truth = competitionPerformance(simulate(streamOf(1000), 20_000))!.cpm;
    const studies = 200;
    let held = 0;
    for (let study = 0; study < studies; study++) {
      const stream = streamOf(study);
      const { low, high } = cpmInterval(simulate(stream, 40), { stream, resamples: 200 })!;
      if (low <= truth && truth <= high) held++;
    }
    expect(held / studies).toBeGreaterThan(0.9);
    expect(held / studies).toBeLessThan(0.99);
  });

  it('is undefined without nodules', () => {
    expect(cpmInterval([scan(0, [], [0.5])], { stream: streamOf(0) })).toBeUndefined();
  });

  it.each([
    [{ resamples: 0 }, 'resamples must be an integer of 1 or more, got 0'],
    [{ resamples: 1.5 }, 'resamples must be an integer of 1 or more, got 1.5'],
    [{ confidence: 1 }, 'confidence must be above 0 and below 1, got 1'],
  ])('refuses %j', (options, message) => {
    expect(() => cpmInterval(SCANS, { stream: streamOf(0), ...options })).toThrow(
      `Cannot compute an interval: ${message}`,
    );
  });
});
