import { performance } from 'node:perf_hooks';
import { credentials, makeGenericClientConstructor, type Client } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

type HealthClient = Client & {
  check(request: { service: string }, callback: (error: Error | null) => void): void;
};

const Health = makeGenericClientConstructor(service, 'Health') as unknown as new (
  address: string,
  channelCredentials: ReturnType<typeof credentials.createInsecure>,
) => HealthClient;

/** How long answers took. */
export interface HealthTimes {
  readonly answers: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

/** Asks a server for its health again and again, and remembers how long each answer took. */
export class HealthProbe {
  readonly #client: HealthClient;
  readonly #timer: NodeJS.Timeout;
  readonly #tookMs: number[] = [];

  constructor(address: string, intervalMs: number) {
    this.#client = new Health(address, credentials.createInsecure());
    this.#timer = setInterval(() => this.#ask(), intervalMs);
  }

  /** Stops asking; tells the median, the 99th percentile and the longest of the answers, in ms. */
  close(): HealthTimes {
    clearInterval(this.#timer);
    this.#client.close();
    const sorted = [...this.#tookMs].sort((a, b) => a - b);
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
    return { answers: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), longestMs: at(1) };
  }

  #ask(): void {
    const startMs = performance.now();
    this.#client.check({ service: '' }, (error) => {
      if (error === null) this.#tookMs.push(performance.now() - startMs);
    });
  }
}
