import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Between two questions to a server that is not ready. */
const POLL_MS = 250;
/** A port that was free may be taken before Prometheus has it. */
const ATTEMPTS = 5;

/** A series of an instant query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What Prometheus is to do. */
export interface PrometheusOptions {
  /** For its configuration and data; made when absent. */
  readonly folder: string;
  /** The configuration file. */
  readonly configuration: string;
}

/** Whether the program `prometheus` is there. */
export function hasPrometheus(): boolean {
  return spawnSync('prometheus', ['--version']).error === undefined;
}

/** A real Prometheus on a free port of this machine's loopback. */
export class PrometheusServer {
  readonly address: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(address: string, started: ChildProcess, ended: Promise<void>) {
    this.address = address;
    this.#process = started;
    this.#ended = ended;
  }

  /** Starts one and waits until it is ready. @throws Error with what it wrote when it is not. */
  static async start({ folder, configuration }: PrometheusOptions): Promise<PrometheusServer> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, 'prometheus.yml');
    await writeFile(path, configuration);
    let output = '';
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const address = `127.0.0.1:${await freePort()}`;
      const flags = [
        `--config.file=${path}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
      ];
      const started = spawn('prometheus', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
      started.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
      let isEnded = false;
      const ended = new Promise<void>((resolve) => started.once('close', () => resolve()));
      void ended.then(() => (isEnded = true));
      while (!isEnded) {
        if (await isReady(address)) return new PrometheusServer(address, started, ended);
        await delay(POLL_MS);
      }
    }
    throw new Error(`Cannot start Prometheus: it must stay up, got\n${output}`);
  }

  /** The series of `expression` now. @throws Error with the reason when Prometheus refuses it. */
  async query(expression: string): Promise<Sample[]> {
    const answer = await fetch(`http://${this.address}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expression }),
    });
    const { status, error, data } = (await answer.json()) as {
      status: string;
      error?: string;
      data?: { resultType: string; result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (status !== 'success' || data === undefined) throw new Error(`Cannot query ${expression}: ${error}`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.#ended;
  }
}

async function isReady(address: string): Promise<boolean> {
  try {
    return (await fetch(`http://${address}/-/ready`)).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
