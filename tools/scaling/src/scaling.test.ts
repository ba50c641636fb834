import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTemporaryFolder, workspaceRoot } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { Autoscaler } from './autoscaler.ts';
import { consumerNeeds, consumerRows, CONSUMER_HEADINGS } from './gpu-consumer.ts';
import { readScalingRules, type ScalingRules } from './scaling-rules.ts';
import { formatTable, HEADINGS, scalingRows } from './scaling-table.ts';
import { SCENARIOS, WORKER } from './scenarios.ts';
import { simulate } from './simulate.ts';

const MANIFEST = join(workspaceRoot, 'deploy/k8s/components/keda/scaled-object.yaml');
const rules = readScalingRules(MANIFEST);

const STEADY: ScalingRules = {
  headroom: 1,
  minReplicas: 1,
  maxReplicas: 20,
  pollingSeconds: 15,
  scaleUp: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 100, periodSeconds: 30 }] },
  scaleDown: { stabilizationWindowSeconds: 60, policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] },
};

describe('readScalingRules()', () => {
  it('reads what is deployed', () => {
    expect(rules).toMatchObject({ headroom: 1.15, minReplicas: 1, maxReplicas: 64, pollingSeconds: 15 });
    expect(rules.scaleDown.stabilizationWindowSeconds).toBe(300);
  });

  it('refuses a formula that the simulator does not have', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'scaled-object.yaml');
      await writeFile(path, readFileSync(MANIFEST, 'utf8').replace('avg(', 'max('));
      expect(() => readScalingRules(path)).toThrow(
        /the query must be headroom \* demand \/ throughput, got 1\.15/,
      );
    }));
});

describe('Autoscaler.decide()', () => {
  it('grows by no more than its policies allow, and never beyond its limits', () => {
    const autoscaler = new Autoscaler(STEADY);
    const sizes = [1];
    for (let second = 0; second <= 150; second += 30)
      sizes.push(autoscaler.decide(second, sizes.at(-1)!, 50));
    expect(sizes).toEqual([1, 2, 4, 8, 16, 20, 20]);
  });

  it('leaves what is within a tenth of what is wanted', () => {
    const autoscaler = new Autoscaler(STEADY);
    expect(autoscaler.decide(0, 10, 10.9)).toBe(10);
    expect(autoscaler.decide(15, 10, 9.1)).toBe(10);
    expect(autoscaler.decide(30, 10, 11.1)).toBe(12);
  });

  it('shrinks only when nothing more was wanted for a while, and step by step', () => {
    const autoscaler = new Autoscaler(STEADY);
    const sizes = [10];
    const wantedAt = (second: number) => (second === 0 ? 10 : 3);
    for (let second = 0; second <= 240; second += 30)
      sizes.push(autoscaler.decide(second, sizes.at(-1)!, wantedAt(second)));
    expect(sizes).toEqual([10, 10, 10, 10, 8, 8, 6, 6, 4, 4]);
  });
});

describe('simulate()', () => {
  const settings = { workers: WORKER, rules };

  it('gives the same outcome for the same settings', () => {
    const run = () => simulate({ ...settings, ...SCENARIOS[2]!, signal: 'demand' });
    expect(run()).toEqual(run());
  });

  it('needs no time and no worker for no demand', () => {
    const steps = [{ second: 0, demand: 1 }];
    const outcome = simulate({ ...settings, steps, durationSeconds: 600, signal: 'demand' });
    expect(outcome).toMatchObject({
      reactionSeconds: [0],
      overshoot: 0,
      stallFraction: 0,
      idleWorkerHours: 0,
    });
  });

  it('takes at least the start of a worker to serve more', () => {
    const [outcome] = SCENARIOS.map((scenario) => simulate({ ...settings, ...scenario, signal: 'demand' }));
    expect(outcome!.reactionSeconds[0]).toBeGreaterThanOrEqual(WORKER.startSeconds);
  });

  it.each(SCENARIOS)('serves sooner, stalls less and idles less by demand than by CPU: $name', (scenario) => {
    const [byDemand, byCpu] = (['demand', 'cpu'] as const).map((signal) =>
      simulate({ ...settings, ...scenario, signal }),
    );
    expect(byDemand!.stallFraction).toBeLessThan(byCpu!.stallFraction);
    expect(byDemand!.idleWorkerHours).toBeLessThan(byCpu!.idleWorkerHours);
    const slowest = (seconds: readonly (number | undefined)[]) =>
      Math.max(...seconds.map((one) => one ?? Infinity));
    expect(slowest(byDemand!.reactionSeconds)).toBeLessThan(slowest(byCpu!.reactionSeconds));
  });

  it('says that demand beyond the most workers is never served', () => {
    const steps = [{ second: 0, demand: 65 * WORKER.throughput }];
    const outcome = simulate({ ...settings, steps, durationSeconds: 1200, signal: 'demand' });
    expect(outcome.reactionSeconds).toEqual([undefined]);
    expect(outcome.stallFraction).toBeGreaterThan(0);
  });
});

describe('consumerNeeds()', () => {
  const parts = {
    ...{ workerSamplesPerSecond: 1000, workerCores: 2, transformsPerSecond: 4000 },
    ...{ receiveMs: 0.2, sendUpMs: 0.1 },
  };

  it('gives workers the headroom of the rule, and whole ones', () => {
    expect(consumerNeeds(2000, 1.15, parts)).toMatchObject({ workers: 3, workerCores: 6, transformCores: 1 });
    expect(consumerNeeds(2000, 1, parts)).toMatchObject({ workers: 2, workerCores: 4 });
    expect(consumerNeeds(8000, 1, parts)).toMatchObject({ transformCores: 2 });
  });

  it('counts the bytes of samples and of chunks with their margin, and the time of the threads that pass them on', () => {
    const needs = consumerNeeds(1000, 1.15, parts);
    expect(needs.float32MegabytesPerSecond).toBeCloseTo(294.912, 9);
    expect(needs.float16MegabytesPerSecond).toBeCloseTo(147.456, 9);
    expect(needs.chunkMegabytesPerSecond).toBeCloseTo(621.264, 9);
    expect(needs.receivingShare).toBeCloseTo(0.2, 12);
    expect(needs.sendingUpShare).toBeCloseTo(0.1, 12);
  });
});

describe('docs/scaling.md', () => {
  const cellsOf = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const lines = readFileSync(join(workspaceRoot, 'docs/scaling.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'));

  it.each([
    ['of what is simulated', HEADINGS, scalingRows(rules)],
    ['of what a GPU needs', CONSUMER_HEADINGS, consumerRows(rules.headroom)],
  ])('has the table %s as it is printed', (_, headings, rows) => {
    const first = lines.findIndex((line) => cellsOf(line).join() === headings.join());
    expect(first).toBeGreaterThanOrEqual(0);
    expect(lines.slice(first + 2, first + 2 + rows.length).map(cellsOf)).toEqual(rows);
    expect(formatTable(headings, rows).split('\n')).toHaveLength(rows.length + 3);
  });
});
