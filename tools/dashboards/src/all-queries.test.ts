import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INSTRUMENTS, prometheusName, type InstrumentName } from '@lunastream/telemetry';
import { workspaceRoot } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { dashboardQueries, ruleQueries } from './all-queries.ts';
import { DASHBOARDS } from './generated-files.ts';
import { select } from './queries.ts';
import { RECORDING_RULES } from './rules.ts';

const queries = [...DASHBOARDS.flatMap(dashboardQueries), ...ruleQueries()];
const names = Object.keys(INSTRUMENTS) as InstrumentName[];

describe('dashboards and rules', () => {
  it.each(names)('show %s somewhere', (name) => {
    const metric = new RegExp(`\\b${prometheusName(name)}(_bucket|_count|_sum)?\\b`);
    expect(queries.some(({ expr }) => metric.test(expr))).toBe(true);
  });

  it('ask for nothing that neither an instrument nor a rule makes', () => {
    const known = new Set(
      names.flatMap((name) => ['', '_bucket', '_count', '_sum'].map((part) => prometheusName(name) + part)),
    );
    const recorded = new Set(RECORDING_RULES.map(({ record }) => record));
    for (const { expr } of queries) {
      const asked = expr.match(/\b(lunastream|rpc|process|nodejs)[a-z0-9_]*[_:][a-z0-9_:]+/g) ?? [];
      const metrics = asked.filter((name) => !/^rpc_(method|response_status_code)$/.test(name));
      expect(metrics.filter((name) => !known.has(name) && !recorded.has(name))).toEqual([]);
    }
  });

  it('have what the committed dashboards have, query by query', () => {
    for (const spec of DASHBOARDS) {
      const text = readFileSync(join(workspaceRoot, `deploy/grafana/dashboards/${spec.uid}.json`), 'utf8');
      const { panels } = JSON.parse(text) as { panels: { targets?: { expr: string }[] }[] };
      const committed = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
      const ours = dashboardQueries(spec).filter(({ title }) => !title.startsWith('annotation '));
      expect(committed).toEqual(ours.map(({ expr }) => expr));
      const uids = text.match(/"uid": "\$\{datasource\}"/g)!;
      expect(uids.length).toBeGreaterThan(committed.length);
    }
  });

  it('place panels without overlap, within the width', () => {
    for (const spec of DASHBOARDS) {
      const text = readFileSync(join(workspaceRoot, `deploy/grafana/dashboards/${spec.uid}.json`), 'utf8');
      const { panels } = JSON.parse(text) as {
        panels: { gridPos: { x: number; y: number; w: number; h: number } }[];
      };
      const taken = new Set<string>();
      for (const { gridPos } of panels) {
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            expect(taken.has(`${x},${y}`)).toBe(false);
            taken.add(`${x},${y}`);
          }
        }
      }
    }
  });
});

describe('select()', () => {
  it('refuses attributes and values that the instrument does not have, and parts of what has none', () => {
    expect(select('lunastream.epoch.recall', { split: 'val' })).toBe(
      'lunastream_epoch_recall_ratio{split="val"}',
    );
    expect(() => select('lunastream.epoch.recall', { tier: 'memory' })).toThrow('it has no attribute tier');
    expect(() => select('lunastream.epoch.recall', { split: 'test' })).toThrow('one of trn, val, got test');
    expect(() => select('lunastream.epoch.recall', {}, 'count')).toThrow('exactly a histogram has parts');
    expect(() => select('lunastream.step.duration')).toThrow('exactly a histogram has parts');
    expect(select('lunastream.worker.threads', { service_name: 'trainer' })).toBe(
      'lunastream_worker_threads{service_name="trainer"}',
    );
    expect(() => select('lunastream.worker.threads', { service_name: 'chunk-cache' })).toThrow(
      'one of augmentation, trainer tells it, got chunk-cache',
    );
  });
});
