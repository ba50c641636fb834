import { describe, expect, it } from 'vitest';
import { ATTRIBUTES, type AttributeDefinition } from './attributes.ts';
import { prometheusName } from './prometheus-name.ts';
import { instrument, INSTRUMENTS, seriesLimit, type InstrumentName } from './registry.ts';

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

  it('bounds the series of a process', () => {
    const total = names.reduce((sum, name) => sum + seriesLimit(name), 0);
    expect(total).toBeLessThan(10_000);
    expect(seriesLimit('lunastream.epoch.f_score')).toBe(20 * 2 * 3);
    expect(seriesLimit('lunastream.demand')).toBe(1);
  });
});
