import type { ServingMessage } from '@lunastream/service-kit';
import { startService, type ServiceName } from './lunastream.ts';
import type { FinishedProcess, ProcessRun } from './process-run.ts';

const LISTEN_VARIABLE: Record<ServiceName, string> = {
  'chunk-cache': 'CHUNK_CACHE_LISTEN',
  augmentation: 'AUGMENTATION_LISTEN',
  trainer: 'TRAINER_LISTEN',
};

/** A service process that tests kill, pause and start again. */
export class TestService {
  readonly #name: ServiceName;
  readonly #cwd: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #within: readonly string[];
  #process: ProcessRun;
  #address: string;

  private constructor(
    start: {
      readonly name: ServiceName;
      readonly cwd: string;
      readonly environment: Readonly<Record<string, string>>;
      readonly within: readonly string[];
    },
    process: ProcessRun,
    address: string,
  ) {
    this.#name = start.name;
    this.#cwd = start.cwd;
    this.#environment = start.environment;
    this.#within = start.within;
    this.#process = process;
    this.#address = address;
  }

  /** Starts the service at a port that the system chooses, unless the environment names one; resolves when it answers. */
  static async start(
    name: ServiceName,
    cwd: string,
    variables: Readonly<Record<string, string>> = {},
    within: readonly string[] = [],
  ): Promise<TestService> {
    const environment = {
      [LISTEN_VARIABLE[name]]: '127.0.0.1:0',
      LUNASTREAM_DRAIN_DELAY_MS: '0',
      ...variables,
    };
    const process = startService(name, cwd, environment, [], within);
    const { address } = await process.message<ServingMessage>();
    return new TestService({ name, cwd, environment, within }, process, address);
  }

  /** Where it answers; another port after `restart`. */
  get address(): string {
    return this.#address;
  }

  get pid(): number {
    return this.#process.pid;
  }

  signal(name: 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.signal(name);
  }

  /** Resolves when the process has ended. */
  get finished(): Promise<FinishedProcess> {
    return this.#process.finished;
  }

  /** Waits until its log matches. */
  output(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#process.output(pattern);
  }

  /** Ends it without a word, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#process.signal('SIGKILL');
    await this.#process.finished;
  }

  /** Ends it in order and waits for that. */
  stop(): Promise<FinishedProcess> {
    this.#process.signal('SIGTERM');
    return this.#process.finished;
  }

  /** Starts it again after its end. */
  async restart(): Promise<void> {
    const again = await TestService.start(this.#name, this.#cwd, this.#environment, this.#within);
    this.#process = again.#process;
    this.#address = again.#address;
  }
}
