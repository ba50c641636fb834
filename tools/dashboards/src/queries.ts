import {
  ATTRIBUTES,
  instrument,
  prometheusName,
  type AttributeDefinition,
  type AttributeName,
  type InstrumentName,
  type ReportingService,
} from '@lunastream/telemetry';

/** How PromQL names an attribute. */
export function label(name: AttributeName): string {
  return name.replace(/[^A-Za-z0-9_]/g, '_');
}

/** Label of every metric: the service that tells it. */
const SERVICE = 'service_name';

/**
 * Matchers by attribute, and by the service that tells: `trn` for equality, `~$run` for a regular expression, `!` for
 * anything but empty.
 */
export type Matchers = Readonly<
  Partial<Record<AttributeName, string> & Record<typeof SERVICE, ReportingService>>
>;

function matcher(name: string, text: string): string {
  if (text === '!') return `${name}!=""`;
  return text.startsWith('~') ? `${name}=~"${text.slice(1)}"` : `${name}="${text}"`;
}

/**
 * Selects an instrument in PromQL; misspelt names and attributes that it does not have are no TypeScript or throw.
 * `part` is `bucket`, `count` or `sum` of a histogram.
 */
export function select(
  name: InstrumentName,
  matchers: Matchers = {},
  part?: 'bucket' | 'count' | 'sum',
): string {
  const { attributes, kind, services } = instrument(name);
  if ((kind === 'histogram') !== (part !== undefined)) {
    throw new Error(
      `Cannot select ${name}: exactly a histogram has parts, got ${part ?? 'none'} of a ${kind}`,
    );
  }
  const parts = Object.entries(matchers).map(([key, text]) => {
    if (key === SERVICE) {
      if (services.includes(text as ReportingService)) return matcher(key, text);
      throw new Error(`Cannot select ${name}: one of ${services.join(', ')} tells it, got ${text}`);
    }
    const attribute = key as AttributeName;
    if (!attributes.includes(attribute)) throw new Error(`Cannot select ${name}: it has no attribute ${key}`);
    const { values: known }: AttributeDefinition = ATTRIBUTES[attribute];
    if (known !== undefined && /^[a-z0-9.]+$/.test(text) && !known.includes(text)) {
      throw new Error(`Cannot select ${name}: ${key} is one of ${known.join(', ')}, got ${text}`);
    }
    return matcher(label(attribute), text);
  });
  const metric = part === undefined ? prometheusName(name) : `${prometheusName(name)}_${part}`;
  return parts.length === 0 ? metric : `${metric}{${parts.join(',')}}`;
}

/** Grafana's interval for rates: at least four scrapes. */
const RATE_WINDOW = '$__rate_interval';

/** Increase per second of a counter. */
export function rate(
  name: InstrumentName,
  matchers: Matchers = {},
  { part, window = RATE_WINDOW }: { part?: 'bucket' | 'count' | 'sum'; window?: string } = {},
): string {
  return `rate(${select(name, matchers, part)}[${window}])`;
}

/** `sum by (…)` of an expression. */
export function sumBy(
  labels: readonly (AttributeName | 'service_name' | 'instance')[],
  expression: string,
): string {
  const by = labels.map((name) => (name in ATTRIBUTES ? label(name as AttributeName) : name)).join(', ');
  return labels.length === 0 ? `sum(${expression})` : `sum by (${by}) (${expression})`;
}

/** A quantile of a histogram over the rate window. */
export function quantile(
  q: number,
  name: InstrumentName,
  { by = [], window = RATE_WINDOW }: { by?: readonly AttributeName[]; window?: string } = {},
): string {
  const labels = [...by.map(label), 'le'].join(', ');
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${select(name, {}, 'bucket')}[${window}])))`;
}
