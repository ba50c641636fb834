import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const document = readFileSync(join(workspaceRoot, 'docs/operations.md'), 'utf8');
const [, alerts = ''] = /^## Alerts\n([^]*?)^## /m.exec(document) ?? [];
const sections = alerts.split(/^### /m).slice(1);
const { groups } = parse(
  readFileSync(join(workspaceRoot, 'deploy/prometheus/rules/lunastream.yml'), 'utf8'),
) as { groups: { rules: { alert?: string }[] }[] };
const deployed = groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? []));

it('docs/operations.md has a section for every alert that is deployed, and for no other', () => {
  expect(deployed.length).toBeGreaterThan(0);
  expect(sections.map((section) => section.split('\n')[0]).sort()).toEqual([...deployed].sort());
});

it.each(sections.map((section) => [section.split('\n')[0]!, section] as const))(
  'docs/operations.md says what %s means and what to do',
  (_alert, section) => {
    expect(section).toMatch(/^- \*\*Means\*\*: \S/m);
    expect(section).toMatch(/^- \*\*Do\*\*: \S/m);
  },
);
