import type { DashboardSpec } from './panel.ts';
import { alertExpression, ALERT_RULES, RECORDING_RULES } from './rules.ts';

/** A query, where it stands, and what it says there. */
export interface PlacedQuery {
  /** Dashboard, or file of rules. */
  readonly place: string;
  /** Panel, annotation or rule. */
  readonly title: string;
  /** Has a value whenever what it asks about is there: of alerts and annotations without their condition. */
  readonly signal: string;
  /** As it is written there. */
  readonly expr: string;
}

/** Every query of a dashboard: panels, then annotations. */
export function dashboardQueries({ title: place, rows, annotations }: DashboardSpec): PlacedQuery[] {
  const panels = rows.flatMap((row) =>
    row.panels.flatMap(({ title, queries }) =>
      queries.map(({ expr }) => ({ place, title, expr, signal: expr })),
    ),
  );
  const marks = annotations.map(({ name, signal, condition }) => ({
    place,
    title: `annotation ${name}`,
    expr: `(${signal}) ${condition}`,
    signal,
  }));
  return [...panels, ...marks];
}

/** Every query of the rules. */
export function ruleQueries(): PlacedQuery[] {
  return [
    ...RECORDING_RULES.map(({ record, expr }) => ({ place: 'Rules', title: record, expr, signal: expr })),
    ...ALERT_RULES.map((rule) => ({
      place: 'Alerts',
      title: rule.alert,
      expr: alertExpression(rule),
      signal: rule.signal,
    })),
  ];
}
