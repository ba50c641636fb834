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

/** Asks a server for its health again and again, and remembers how long each answer took. */
export class HealthProbe {
  readonly #client: HealthClient;
  readonly #timer: NodeJS.Timeout;
  readonly #tookMs: number[] = [];

  constructor(address: string, intervalMs: number) {
    this.#client = new Health(address, credentials.createInsecure());
    this.#timer = setInterval(() => this.#ask(), intervalMs);
  }

  /** Stops asking; tells the median and the 99th percentile of the answers, in ms. */
  close(): { readonly p50Ms: number; readonly p99Ms: number } {
    clearInterval(this.#timer);
    this.#client.close();
    const sorted = [...this.#tookMs].sort((a, b) => a - b);
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  #ask(): void {
    const startMs = performance.now();
    this.#client.check({ service: '' }, (error) => {
      if (error === null) this.#tookMs.push(performance.now() - startMs);
    });
  }
}
