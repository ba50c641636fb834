import type { MetricData } from '@opentelemetry/sdk-metrics';
import { describe, expect, it } from 'vitest';
import { Observations } from './observations.ts';
import { seriesLimit } from './registry.ts';

async function collect(observations: Observations): Promise<readonly MetricData[]> {
  const { resourceMetrics } = await observations.collect();
  return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
}

/** Values by attributes of the only metric. */
async function only(observations: Observations): Promise<Record<string, unknown>> {
  const [metric, ...others] = await collect(observations);
  expect(others).toEqual([]);
  return Object.fromEntries(
    (metric?.dataPoints ?? []).map(({ attributes, value }) => [Object.values(attributes).join(), value]),
  );
}

describe('Observations', () => {
  it('reads its observers anew at each collection, and forgets what they no longer tell', async () => {
    const observations = new Observations();
    let workers = ['a', 'b'];
    observations.add((report) =>
      workers.forEach((worker, index) => report('lunastream.supply.samples', index + 1, { worker })),
    );
    expect(await only(observations)).toEqual({ a: 1, b: 2 });
    workers = ['b'];
    expect(await only(observations)).toEqual({ b: 1 });
  });

  it('adds counters of equal attributes up, and keeps the latest of gauges', async () => {
    const observations = new Observations();
    for (const value of [2, 3]) {
      observations.add((report) => report('lunastream.chunks.hits', value, { tier: 'memory' }));
    }
    expect(await only(observations)).toEqual({ memory: 5 });
    const gauges = new Observations();
    for (const value of [2, 3]) {
      gauges.add((report) => report('lunastream.chunks.size', value, { tier: 'memory' }));
    }
    expect(await only(gauges)).toEqual({ memory: 3 });
  });

  it('tells kinds apart', async () => {
    const observations = new Observations();
    observations.add((report) => {
      report('lunastream.chunks.cut', 1, {});
      report('lunastream.demand', 1, {});
      report('process.memory.usage', 1, {});
    });
    const kinds = (await collect(observations)).map((metric) => [
      metric.descriptor.name,
      'isMonotonic' in metric ? metric.isMonotonic : 'gauge',
    ]);
    expect(kinds).toEqual([
      ['lunastream.chunks.cut', true],
      ['lunastream.demand', 'gauge'],
      ['process.memory.usage', false],
    ]);
  });

  it('tells no value that is undefined, not a number or infinite', async () => {
    const observations = new Observations();
    observations.add((report) => {
      for (const value of [undefined, NaN, Infinity]) report('lunastream.demand', value, {});
    });
    expect(await collect(observations)).toEqual([]);
  });

  it('drops attributes that the registry does not give the instrument', async () => {
    const observations = new Observations();
    const attributes = { tier: 'memory', series_uid: '1.3.6' };
    observations.add((report) => report('lunastream.chunks.hits', 1, attributes));
    const [metric] = await collect(observations);
    expect(metric!.dataPoints.map((point) => point.attributes)).toEqual([{ tier: 'memory' }]);
  });

  it('bounds the series: counters beyond it are counted together, gauges left out', async () => {
    const limit = seriesLimit('lunastream.supply.samples');
    const counters = new Observations();
    const gauges = new Observations();
    for (let index = 0; index < limit + 100; index++) {
      const worker = `10.0.0.${index}:50052`;
      counters.add((report) => report('lunastream.supply.samples', 1, { worker }));
      gauges.add((report) => report('lunastream.supply.outstanding_leases', 1, { worker }));
    }
    const values = await only(counters);
    expect(Object.keys(values)).toHaveLength(limit + 1);
    expect(values['true']).toBe(100);
    const [metric] = await collect(counters);
    expect(metric!.dataPoints.at(-1)!.attributes).toEqual({ 'otel.metric.overflow': true });
    expect(Object.keys(await only(gauges))).toHaveLength(limit);
  });

  it('reads on when an observer throws, and tells what it threw', async () => {
    const observations = new Observations();
    const fault = new Error('planted');
    observations.add(() => {
      throw fault;
    });
    const end = observations.add((report) => report('lunastream.demand', 1, {}));
    expect((await observations.collect()).errors).toEqual([fault]);
    expect(await only(observations)).toEqual({ '': 1 });
    end();
    expect(await collect(observations)).toEqual([]);
  });
});
