/**
 * Proves dashboards and rules with a real Prometheus: runs the stack briefly, lets Prometheus scrape it, and asks every
 * query until it has an answer; then compares what services tell with the registry of instruments.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { generatePhantom } from '@lunastream/phantom';
import {
  INSTRUMENTS,
  isToldBy,
  prometheusName,
  type InstrumentName,
  type ReportingService,
} from '@lunastream/telemetry';
import { stringify } from 'yaml';
import { dashboardQueries, ruleQueries, type PlacedQuery } from './all-queries.ts';
import { DASHBOARDS } from './generated-files.ts';
import { PrometheusServer, type Sample } from './prometheus-server.ts';

/** Between two rounds of questions. */
const POLL_MS = 500;
/** Grafana's variables as they are here. */
const VARIABLES = [
  ['$run', '.*'],
  ['$__rate_interval', '30s'],
] as const;
/** Nobody listens there: an alert is pending for as long as the proof takes. */
const DEAD_TARGET = '127.0.0.1:1';

/** Told only where a GPU computes, which none does here. */
const GPU_INSTRUMENTS = (Object.keys(INSTRUMENTS) as InstrumentName[]).filter(
  (name) => 'needsGpu' in INSTRUMENTS[name],
);

function needsGpu({ expr }: PlacedQuery): boolean {
  return GPU_INSTRUMENTS.some((name) => expr.includes(prometheusName(name)));
}

/** A query and what it gave. */
export interface ProvenQuery extends PlacedQuery {
  /** Finite values of the first answer that had any; empty when there was none in time. */
  readonly samples: readonly Sample[];
}

export interface Proof {
  readonly queries: readonly ProvenQuery[];
  /** Queries for what only a GPU's runs tell: Prometheus took them, and they need no answer here. */
  readonly gpuQueries: readonly PlacedQuery[];
  /** Metrics that a service tells and the registry does not have, as "service: metric". */
  readonly undocumented: readonly string[];
  /** Metrics that the registry gives a service and it does not tell. */
  readonly missing: readonly string[];
}

export interface ProofOptions {
  /** The repository. */
  readonly root: string;
  /** An empty folder for data, runs and Prometheus. */
  readonly folder: string;
  /** For how long queries are asked that have no answer. */
  readonly limitMs: number;
}

interface Target {
  readonly name: string;
  readonly address: string;
}
interface Stack {
  readonly trainer: string;
  readonly scrapeTargets: readonly Target[];
}

/** Proves every query of every dashboard and rule. */
export async function prove({ root, folder, limitMs }: ProofOptions): Promise<Proof> {
  const processes: Child[] = [];
  const lunastream = (...args: string[]) => {
    const child = new Child(join(root, 'tools/cli/bin/lunastream.mjs'), args, folder);
    processes.unshift(child);
    return child;
  };
  let prometheus: PrometheusServer | undefined;
  try {
    const data = await makeDataset(join(folder, 'data'));
    const up = lunastream('up', '--data', data, '--port', '0', '--workers', '2', '--prometheus', '--json');
    const stack = JSON.parse(await up.firstLine()) as Stack;
    lunastream('train', '--trainer', stack.trainer, ...RUN, '--quiet');
    prometheus = await PrometheusServer.start({
      folder: join(folder, 'prometheus'),
      configuration: configuration(root, stack.scrapeTargets),
    });
    const asked = [...DASHBOARDS.flatMap(dashboardQueries), ...ruleQueries()];
    const gpuQueries = asked.filter(needsGpu);
    for (const { expr } of gpuQueries) await prometheus.query(withVariables(expr));
    const answered = asked.filter((query) => !needsGpu(query));
    const queries = await askAll(prometheus, answered, limitMs);
    return { queries, gpuQueries, ...(await compareWithRegistry(stack.scrapeTargets)) };
  } finally {
    await prometheus?.stop();
    for (const child of processes) await child.stop();
  }
}

/** Four scans that train within seconds; the run ends with the proof. */
const RUN = [
  ...['--epochs', '100000', '--epoch-length', '48', '--batch-size', '8', '--chunk', '16x16x16'],
  ...['--balanced', '--augmented', '--seed', '5'],
] as const;

async function makeDataset(outDir: string): Promise<string> {
  const generated = await generatePhantom({
    outDir,
    background: 'synthetic',
    seed: 11,
    scanCount: 4,
    nodulesPerScan: 3,
    negativesPerNodule: 3,
    shape: { depth: 40, height: 96, width: 96 },
  });
  return generated.outDir;
}

function configuration(root: string, targets: readonly Target[]): string {
  return stringify({
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [join(root, 'deploy/prometheus/rules/*.yml')],
    scrape_configs: [
      {
        job_name: 'lunastream',
        static_configs: [
          ...targets.map(({ name, address }) => ({ targets: [address], labels: { name } })),
          { targets: [DEAD_TARGET], labels: { name: 'dead' } },
        ],
      },
    ],
  });
}

/** Asks until every query has an answer, or for `limitMs`. */
async function askAll(
  prometheus: PrometheusServer,
  asked: readonly PlacedQuery[],
  limitMs: number,
): Promise<ProvenQuery[]> {
  const proven = asked.map((query) => ({ ...query, samples: [] as readonly Sample[] }));
  const endMs = performance.now() + limitMs;
  for (;;) {
    const open = proven.filter(({ samples }) => samples.length === 0);
    if (open.length === 0 || performance.now() > endMs) return proven;
    for (const query of open) {
      const samples = await prometheus.query(withVariables(query.signal));
      query.samples = samples.filter(({ value }) => Number.isFinite(value));
      // With its condition it need not be true now, but Prometheus must take it.
      if (query.expr !== query.signal) await prometheus.query(withVariables(query.expr));
    }
    await delay(POLL_MS);
  }
}

function withVariables(expression: string): string {
  return VARIABLES.reduce((text, [name, value]) => text.replaceAll(name, value), expression);
}

/** What each target tells against what the registry gives its service. */
async function compareWithRegistry(
  targets: readonly Target[],
): Promise<Pick<Proof, 'undocumented' | 'missing'>> {
  const undocumented: string[] = [];
  const missing: string[] = [];
  for (const { name, address } of targets) {
    const service = name.replace(/-\d+$/, '') as ReportingService;
    const text = await (await fetch(`http://${address}/metrics`)).text();
    const told = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, metric]) => metric!));
    told.delete('target_info');
    const known = (Object.keys(INSTRUMENTS) as InstrumentName[]).filter((one) =>
      isToldBy(one, service, 'workers'),
    );
    const documented = known.map(prometheusName);
    undocumented.push(
      ...[...told].filter((metric) => !documented.includes(metric)).map((one) => `${name}: ${one}`),
    );
    const expected = known.filter((one) => !GPU_INSTRUMENTS.includes(one)).map(prometheusName);
    missing.push(...expected.filter((metric) => !told.has(metric)).map((one) => `${name}: ${one}`));
  }
  return { undocumented, missing };
}

/** A command of ours in a process of its own. */
class Child {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #output = '';
  #errors = '';
  #wake: () => void = () => undefined;

  constructor(program: string, args: readonly string[], cwd: string) {
    this.#process = spawn(process.execPath, [program, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#wake();
    });
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    this.#ended = new Promise((resolve) => this.#process.once('close', () => resolve()));
    void this.#ended.then(() => this.#wake());
  }

  /** The first line of standard output. @throws Error when the process ends without one. */
  async firstLine(): Promise<string> {
    for (;;) {
      const [line, ...rest] = this.#output.split('\n');
      if (rest.length > 0) return line!;
      if (this.#process.exitCode !== null)
        throw new Error(`Cannot go on: the process ended\n${this.#errors}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Ends it as Ctrl-C does. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.#ended;
  }
}
