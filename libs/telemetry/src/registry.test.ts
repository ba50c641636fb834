import { describe, expect, it } from 'vitest';
import { ATTRIBUTES, type AttributeDefinition } from './attributes.ts';
import { prometheusName } from './prometheus-name.ts';
import { instrument, INSTRUMENTS, isToldBy, seriesLimit, type InstrumentName } from './registry.ts';

const names = Object.keys(INSTRUMENTS) as InstrumentName[];

describe('the registry of instruments', () => {
  it.each(names)('%s has a name, a unit and a meaning by the conventions', (name) => {
    const { unit, meaning, services } = instrument(name);
    expect(name).toMatch(/^(lunastream|rpc|process|nodejs)(\.[a-z][a-z0-9_]*)+$/);
    expect(unit).toMatch(/^(1|s|By|\{[a-z]+\}(\/s)?)$/);
    expect(meaning).toMatch(/^[A-Z0-9].{9,}[^.]$/);
    expect(services.length).toBeGreaterThan(0);
  });

  it('gives histograms buckets that rise, and others none', () => {
    for (const name of names) {
      const { kind, boundaries } = instrument(name);
      expect([name, boundaries !== undefined]).toEqual([name, kind === 'histogram']);
      expect(boundaries ?? []).toEqual([...(boundaries ?? [])].sort((a, b) => a - b));
    }
  });

  it('has no two names that Prometheus would take for one', () => {
    expect(new Set(names.map(prometheusName)).size).toBe(names.length);
  });

  it('tells nothing apart by what has no bound: scans, samples, epochs', () => {
    for (const [name, attribute] of Object.entries<AttributeDefinition>(ATTRIBUTES)) {
      expect(name).not.toMatch(/series|uid|ordinal|epoch|sample|lease|time/);
      expect(attribute.limit).toBeGreaterThan(0);
      if (attribute.values !== undefined) expect(attribute.values).toHaveLength(attribute.limit);
    }
  });

  it('knows who tells what: a trainer does what workers and caches do only where it has none', () => {
    const tellers = (name: InstrumentName) => [
      isToldBy(name, 'augmentation', 'workers'),
      isToldBy(name, 'trainer', 'workers'),
      isToldBy(name, 'trainer', 'local'),
    ];
    expect(tellers('lunastream.worker.samples')).toEqual([true, false, true]);
    expect(tellers('lunastream.supply.leases')).toEqual([false, true, false]);
    expect(tellers('lunastream.supply.samples')).toEqual([false, true, true]);
    expect(tellers('process.cpu.time')).toEqual([true, true, true]);
  });

  it('bounds the series of a process', () => {
    const total = names.reduce((sum, name) => sum + seriesLimit(name), 0);
    expect(total).toBeLessThan(10_000);
    expect(seriesLimit('lunastream.epoch.f_score')).toBe(20 * 2 * 3);
    expect(seriesLimit('lunastream.demand')).toBe(1);
  });
});
