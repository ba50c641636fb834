import { PanelBuilder as BarGaugeBuilder } from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  ReduceDataOptionsBuilder,
  VizOrientation,
  type DataSourceRef,
} from '@grafana/grafana-foundation-sdk/common';
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  type Dashboard,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { prometheusName } from '@lunastream/telemetry';
import type { AnnotationSpec, DashboardSpec, PanelSpec, Query } from './panel.ts';

/** Chosen by whoever looks: a Grafana may have several. */
const DATA_SOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };
const COLUMNS = 24;
const HEIGHTS: Record<PanelSpec['kind'], number> = { lines: 8, bars: 8, stat: 4, table: 8 };

/** Query letters as Grafana gives them. */
function refId(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

function query({ expr, legend }: Query, index: number, kind: PanelSpec['kind']): DataqueryBuilder {
  const built = new DataqueryBuilder()
    .expr(expr)
    .legendFormat(legend)
    .refId(refId(index))
    .datasource(DATA_SOURCE);
  if (kind === 'lines') return built.range();
  return kind === 'table' ? built.instant().format(PromQueryFormat.Table) : built.instant();
}

/** One row of a table per set of labels, a column per query, under its name. */
function tableTransformations({ queries }: PanelSpec) {
  const renamed = Object.fromEntries(queries.map(({ legend }, index) => [`Value #${refId(index)}`, legend]));
  return [
    { id: 'merge', options: {} },
    {
      id: 'organize',
      options: { excludeByName: { Time: true }, renameByName: { ...renamed, Value: queries[0]!.legend } },
    },
  ];
}

function latest(): ReduceDataOptionsBuilder {
  return new ReduceDataOptionsBuilder().calcs(['lastNotNull']);
}

function builderOf(spec: PanelSpec) {
  switch (spec.kind) {
    case 'lines':
      return new LinesBuilder().lineWidth(2).fillOpacity(5).spanNulls(true);
    case 'stat':
      return new StatBuilder().reduceOptions(latest());
    case 'bars':
      return new BarGaugeBuilder().reduceOptions(latest()).orientation(VizOrientation.Horizontal).min(0);
    case 'table':
      return new TableBuilder().transformations(tableTransformations(spec));
  }
}

function panel(spec: PanelSpec, at: { x: number; y: number }): Builder<Panel> {
  const built = builderOf(spec)
    .title(spec.title)
    .description(spec.description)
    .datasource(DATA_SOURCE)
    .unit(spec.unit)
    .gridPos({ ...at, w: spec.width, h: HEIGHTS[spec.kind] })
    .targets(spec.queries.map((one, index) => query(one, index, spec.kind)));
  if (spec.min !== undefined) built.min(spec.min);
  if (spec.max !== undefined) built.max(spec.max);
  return built;
}

function annotation({ name, signal, condition, title, color }: AnnotationSpec): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATA_SOURCE)
    .enable(true)
    .iconColor(color)
    .expr(`(${signal}) ${condition}`)
    .titleFormat(title)
    .step('15s');
}

/** Panels from left to right, then below; a row begins on a line of its own. */
function layOut(built: DashboardBuilder, { rows }: DashboardSpec): void {
  let y = 0;
  for (const { title, panels } of rows) {
    built.withRow(new RowBuilder(title).gridPos({ x: 0, y, w: COLUMNS, h: 1 }));
    y++;
    let x = 0;
    let lineHeight = 0;
    for (const spec of panels) {
      if (x + spec.width > COLUMNS) {
        x = 0;
        y += lineHeight;
        lineHeight = 0;
      }
      built.withPanel(panel(spec, { x, y }));
      x += spec.width;
      lineHeight = Math.max(lineHeight, HEIGHTS[spec.kind]);
    }
    y += lineHeight;
  }
}

/** The dashboard as Grafana reads it. */
export function toDashboard(spec: DashboardSpec): Dashboard {
  const built = new DashboardBuilder(`lunastream: ${spec.title}`)
    .uid(spec.uid)
    .description(spec.description)
    .tags(['lunastream'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .timezone('browser')
    .refresh('10s')
    .time({ from: 'now-1h', to: 'now' })
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  if (spec.choosesRuns) {
    built.withVariable(
      new QueryVariableBuilder('run')
        .label('Run')
        .datasource(DATA_SOURCE)
        .query(`label_values(${prometheusName('lunastream.run.active')}, run)`)
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .allValue('.*')
        .current({ text: 'All', value: '$__all' }),
    );
  }
  for (const one of spec.annotations) built.annotation(annotation(one));
  layOut(built, spec);
  return built.build();
}
