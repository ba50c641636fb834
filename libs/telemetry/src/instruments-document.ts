import { ATTRIBUTES, type AttributeDefinition } from './attributes.ts';
import { prometheusName } from './prometheus-name.ts';
import { instrument, INSTRUMENTS, seriesLimit, type InstrumentName } from './registry.ts';

const PARTS: readonly (readonly [prefix: string, heading: string])[] = [
  ['lunastream.run.', 'A run'],
  ['lunastream.epoch.', 'Its latest epoch'],
  ['lunastream.step.', 'A step'],
  ['lunastream.demand', 'What the trainer could take'],
  ['lunastream.supply.', 'How samples come to the trainer'],
  ['lunastream.worker.', 'Making samples'],
  ['lunastream.chunks.', 'Chunks'],
  ['', 'Every service'],
];

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

function rowOf(name: InstrumentName): string[] {
  const { kind, unit, attributes, meaning } = instrument(name);
  return [
    code(name),
    code(prometheusName(name)),
    kind,
    code(unit),
    attributes.map(code).join(', '),
    String(seriesLimit(name)),
    tellersOf(name),
    meaning,
  ];
}

const WHEN = { local: 'trainer by itself', workers: 'trainer with workers' } as const;

/** The services that tell `name`. */
function tellersOf(name: InstrumentName): string {
  const { services, trainerSupply } = instrument(name);
  if (trainerSupply === undefined) return services.length === 3 ? 'all' : services.join(', ');
  return services.map((one) => (one === 'trainer' ? WHEN[trainerSupply] : one)).join(', ');
}

function valuesOf({ values, limit }: AttributeDefinition): string {
  return values === undefined ? `up to ${limit}` : values.map(code).join(', ');
}

/** The reference part of docs/telemetry.md: every instrument and attribute, in Markdown. */
export function instrumentsDocument(): string {
  const left = new Set(Object.keys(INSTRUMENTS) as InstrumentName[]);
  const sections = PARTS.map(([prefix, heading]) => {
    const names = [...left].filter((name) => name.startsWith(prefix));
    for (const name of names) left.delete(name);
    const head = [
      'instrument',
      'in Prometheus',
      'kind',
      'unit',
      'attributes',
      'most series',
      'of',
      'meaning',
    ];
    return `### ${heading}\n\n${table(head, names.map(rowOf))}`;
  });
  const attributes = table(
    ['attribute', 'in Prometheus', 'values', 'meaning'],
    Object.entries(ATTRIBUTES).map(([name, definition]) => [
      code(name),
      code(name.replace(/[^A-Za-z0-9_]/g, '_')),
      valuesOf(definition),
      definition.meaning,
    ]),
  );
  return [...sections, `### Attributes\n\n${attributes}`].join('\n\n');
}
