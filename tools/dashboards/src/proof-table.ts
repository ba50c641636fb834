import type { Proof, ProvenQuery } from './prove.ts';

/** A value with four significant digits, and of how many series it is one. */
function valueOf({ samples }: ProvenQuery): string {
  const [first, ...others] = samples;
  if (first === undefined) return 'NO DATA';
  const shown = String(Number(first.value.toPrecision(4)));
  return others.length === 0 ? shown : `${shown} (and ${others.length} more series)`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The proof in Markdown: panel, query, value; then what the registry and the services do not agree on. */
export function proofTable({ queries, gpuQueries, undocumented, missing }: Proof): string {
  const rows = queries.map((query) =>
    line([`${query.place}: ${query.title}`, `\`${query.signal}\``, valueOf(query)]),
  );
  const answered = queries.filter(({ samples }) => samples.length > 0).length;
  return [
    line(['panel', 'query', 'value']),
    line(['---', '---', '---']),
    ...rows,
    '',
    `${answered} of ${queries.length} queries returned data.`,
    `Asked for runs on a GPU, of which there is none here: ${gpuQueries.map(({ signal }) => signal).join(', ') || 'nothing'}.`,
    `Told by services and not documented: ${undocumented.join(', ') || 'none'}.`,
    `Documented and not told: ${missing.join(', ') || 'none'}.`,
    '',
  ].join('\n');
}
