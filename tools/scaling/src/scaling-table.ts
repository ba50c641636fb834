import type { ScalingRules } from './scaling-rules.ts';
import { SCENARIOS, WORKER } from './scenarios.ts';
import { simulate, type ScalingOutcome, type Signal } from './simulate.ts';

const SIGNALS: readonly Signal[] = ['demand', 'cpu'];
export const HEADINGS = [
  'scenario',
  'signal',
  'reaction, s',
  'overshoot',
  'stall',
  'worker hours',
  'idle',
] as const;

/** A row for each scenario and signal, as docs/scaling.md has them. */
export function scalingRows(rules: ScalingRules): string[][] {
  return SCENARIOS.flatMap(({ name, steps, durationSeconds }) =>
    SIGNALS.map((signal) => {
      const outcome = simulate({ steps, durationSeconds, workers: WORKER, rules, signal });
      return [name, signal, ...cellsOf(outcome)];
    }),
  );
}

function cellsOf({
  reactionSeconds,
  overshoot,
  stallFraction,
  workerHours,
  idleWorkerHours,
}: ScalingOutcome): string[] {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  // The slowest step counts; one that was never served goes before all.
  const slowest = reactionSeconds.includes(undefined)
    ? 'never'
    : String(Math.max(...reactionSeconds.map((seconds) => seconds ?? 0)));
  return [
    slowest,
    percent(overshoot),
    percent(stallFraction),
    workerHours.toFixed(2),
    idleWorkerHours.toFixed(2),
  ];
}

/** Rows as a Markdown table. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line), ''].join('\n');
}
