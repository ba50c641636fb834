import { instrument, type InstrumentKind, type InstrumentName } from './registry.ts';

/** What Prometheus calls the units that we use: OpenTelemetry's "Prometheus and OpenMetrics compatibility". */
const UNIT_NAMES: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes' };

/** "seconds" of `s`, "per_second" of `{sample}/s`, nothing of `{sample}`. */
function unitName(unit: string): string {
  const [of, per] = unit.split('/').map((part) => part.replace(/^\{.*\}$/, '')) as [string, string?];
  const name = UNIT_NAMES[of] ?? '';
  return per === undefined
    ? name
    : [name, 'per', UNIT_NAMES[per]?.replace(/s$/, '') ?? per].filter(Boolean).join('_');
}

/**
 * The name of a metric in Prometheus: unit and kind become suffixes, as the collector's exporters make them too, so that
 * a dashboard fits however a metric came. OpenTelemetry's JavaScript exporter leaves units out.
 */
export function toPrometheusName(
  name: string,
  { kind, unit }: { kind: InstrumentKind; unit: string },
): string {
  const base = name.replace(/[^A-Za-z0-9_:]+/g, '_');
  const suffix = unit === '1' ? (kind === 'gauge' ? 'ratio' : '') : unitName(unit);
  const withUnit = suffix === '' || base.endsWith(`_${suffix}`) ? base : `${base}_${suffix}`;
  return kind === 'counter' ? `${withUnit.replace(/_total$/, '')}_total` : withUnit;
}

/** The name of one of our instruments in Prometheus; of a histogram without `_bucket`, `_count` and `_sum`. */
export function prometheusName(name: InstrumentName): string {
  return toPrometheusName(name, instrument(name));
}
