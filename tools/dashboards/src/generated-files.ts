import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { instrumentsDocument } from '@lunastream/telemetry';
import { format, resolveConfig } from 'prettier';
import { stringify } from 'yaml';
import { toDashboard } from './dashboard.ts';
import { DATA_PLANE } from './data-plane.ts';
import { alertExpression, ALERT_RULES, RECORDING_RULES } from './rules.ts';
import { SERVICES } from './services.ts';
import { TRAINING } from './training.ts';

const DOCUMENT = 'docs/telemetry.md';
const BEGIN = '<!-- from libs/telemetry/src/registry.ts: `npm run gen` -->';
const END = '<!-- end of what is generated -->';

/** What is generated, by path in the repository. */
export type GeneratedFiles = ReadonlyMap<string, string>;

/** The document `text` with `part` between its marks. @throws Error when it has none. */
export function withGeneratedPart(text: string, part: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin === -1 || end < begin) {
    throw new Error(`Cannot generate ${DOCUMENT}: it must have the lines "${BEGIN}" and "${END}", got none`);
  }
  return `${text.slice(0, begin + BEGIN.length)}\n\n${part}\n\n${text.slice(end)}`;
}

/** Every dashboard. */
export const DASHBOARDS = [TRAINING, DATA_PLANE, SERVICES] as const;

const RULES_HEAD = '# Made by `npm run gen` from tools/dashboards/src/rules.ts.\n';

/** Prometheus's rules, in groups. */
function ruleGroups() {
  const alerts = ALERT_RULES.map((rule) => ({
    alert: rule.alert,
    expr: alertExpression(rule),
    for: rule.for,
    labels: { severity: rule.severity },
    annotations: { summary: rule.summary, description: rule.description },
  }));
  return [
    { name: 'lunastream-recording', rules: RECORDING_RULES },
    { name: 'lunastream-alerts', rules: alerts },
  ];
}

/** The rules as Prometheus reads them from a file. */
function rulesFile(): string {
  return RULES_HEAD + stringify({ groups: ruleGroups() }, { lineWidth: 0 });
}

/** The rules as the Prometheus operator takes them from a cluster. */
function prometheusRule(): string {
  const manifest = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'lunastream' },
    spec: { groups: ruleGroups() },
  };
  return RULES_HEAD + stringify(manifest, { lineWidth: 0 });
}

/** Everything that this project makes, formatted as the repository is. */
export async function generateFiles(root: string): Promise<GeneratedFiles> {
  const written: readonly (readonly [string, string])[] = [
    [DOCUMENT, withGeneratedPart(readFileSync(join(root, DOCUMENT), 'utf8'), instrumentsDocument())],
    ...DASHBOARDS.map(
      (spec) => [`deploy/grafana/dashboards/${spec.uid}.json`, JSON.stringify(toDashboard(spec))] as const,
    ),
    ['deploy/prometheus/rules/lunastream.yml', rulesFile()],
    ['deploy/k8s/components/monitoring/rules.yaml', prometheusRule()],
  ];
  const formatted = written.map(async ([path, text]) => {
    const options = await resolveConfig(join(root, path));
    return [path, await format(text, { ...options, filepath: path })] as const;
  });
  return new Map(await Promise.all(formatted));
}
