/** A query of a panel. */
export interface Query {
  readonly expr: string;
  /** Name of each series; `{{label}}` stands for a label's value. */
  readonly legend: string;
}

/** What a panel shows. */
export interface PanelSpec {
  readonly title: string;
  /** What it tells, and how to read it. */
  readonly description: string;
  /** Over time, the value now, bars of values now, or a table of values now with a column per query. */
  readonly kind: 'lines' | 'stat' | 'bars' | 'table';
  /** Grafana's id of the unit: `percentunit`, `s`, `bytes`, `short`, `none`. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Of 24. */
  readonly width: number;
  readonly min?: number;
  readonly max?: number;
}

export interface RowSpec {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

/** A mark on the time axis, wherever `signal` fulfils `condition`. */
export interface AnnotationSpec {
  readonly name: string;
  readonly signal: string;
  readonly condition: string;
  readonly title: string;
  readonly color: string;
}

export interface DashboardSpec {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Whether runs are chosen from a list. */
  readonly choosesRuns: boolean;
  readonly rows: readonly RowSpec[];
  readonly annotations: readonly AnnotationSpec[];
}

/** A panel of half the width with lines. */
export function lines(
  title: string,
  description: string,
  {
    unit,
    queries,
    ...more
  }: Pick<PanelSpec, 'unit' | 'queries'> & Partial<Pick<PanelSpec, 'width' | 'min' | 'max'>>,
): PanelSpec {
  return { title, description, kind: 'lines', unit, queries, width: 12, ...more };
}

/** A small panel with the value now. */
export function stat(title: string, description: string, unit: string, query: Query): PanelSpec {
  return { title, description, kind: 'stat', unit, queries: [query], width: 4 };
}
