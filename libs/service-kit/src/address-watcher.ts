import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { errorText } from './request-error.ts';

const DNS_SCHEME = 'dns:///';
/** A new pod is noticed within this time and what the name service takes. */
const RESOLVE_INTERVAL_MS = 2_000;

/** Where one server is. */
export interface ServerAddress {
  /** "host:port". */
  readonly address: string;
  /** Name that its certificate must have where `address` is only a number that the name stands for. */
  readonly serverName: string | undefined;
}

/** Asks the name service for the numbers of `host`. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** What an AddressWatcher is made of. */
export interface AddressWatcherOptions {
  /** "host:port", or "dns:///name:port" for every server that the name stands for. */
  readonly targets: readonly string[];
  /** Told the addresses once at first, then whenever they change. */
  readonly onChange: (addresses: readonly ServerAddress[]) => void;
  /** Told in a sentence when a name cannot be resolved or its addresses not be used, once until that changes. */
  readonly onError: (sentence: string) => void;
  readonly lookup?: Lookup;
}

/**
 * Knows where the servers behind a list of targets are. Names are resolved again on a timer, because pods come and go: a
 * channel of gRPC's own resolves only when a connection breaks. While a name cannot be resolved, its last addresses stay.
 */
export class AddressWatcher {
  readonly #options: AddressWatcherOptions;
  readonly #lookup: Lookup;
  /** Addresses by target, as last resolved. */
  readonly #resolved = new Map<string, readonly ServerAddress[]>();
  readonly #faults = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #told: string | undefined;
  #isClosed = false;

  private constructor(options: AddressWatcherOptions) {
    this.#options = options;
    this.#lookup = options.lookup ?? lookupAll;
  }

  /** Starts watching; `onChange` has been called when it resolves. */
  static async start(options: AddressWatcherOptions): Promise<AddressWatcher> {
    const watcher = new AddressWatcher(options);
    await watcher.#resolve();
    if (options.targets.some(isName)) watcher.#schedule();
    return watcher;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      void this.#resolve().then(() => {
        if (!this.#isClosed) this.#schedule();
      });
    }, RESOLVE_INTERVAL_MS);
    this.#timer.unref();
  }

  async #resolve(): Promise<void> {
    await Promise.all(this.#options.targets.map((target) => this.#resolveTarget(target)));
    if (this.#isClosed) return;
    const addresses = [...this.#resolved.values()].flat();
    const told = JSON.stringify(addresses);
    if (told === this.#told) return;
    const isFirst = this.#told === undefined;
    this.#told = told;
    try {
      this.#options.onChange(addresses);
    } catch (error) {
      // At the start it is a fault of the settings, which the caller can mend; later a service goes on with what it has.
      if (isFirst) throw error;
      this.#options.onError(errorText(error));
    }
  }

  async #resolveTarget(target: string): Promise<void> {
    if (!isName(target)) {
      this.#resolved.set(target, [{ address: target, serverName: undefined }]);
      return;
    }
    const [, host, port] = /^dns:\/\/\/(.*):(\d+)$/.exec(target)!;
    try {
      const numbers = await this.#lookup(host!);
      // In an order of their own: name services turn theirs with every answer.
      const addresses = [...new Set(numbers)].sort().map((number) => ({
        address: `${isIPv6(number) ? `[${number}]` : number}:${port}`,
        serverName: host,
      }));
      this.#resolved.set(target, addresses);
      this.#faults.delete(target);
    } catch (error) {
      const fault = `Cannot resolve ${target}: ${errorText(error)}`;
      if (this.#faults.get(target) !== fault) this.#options.onError(fault);
      this.#faults.set(target, fault);
    }
  }
}

function isName(target: string): boolean {
  return target.startsWith(DNS_SCHEME);
}

async function lookupAll(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
