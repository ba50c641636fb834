import { setTimeout as delay } from 'node:timers/promises';
import { Metadata } from '@grpc/grpc-js';
import {
  RunState,
  TrainingServiceClient,
  type RunSettings,
  type StartRunResponse,
} from '@lunastream/contracts';
import {
  callUnary,
  createClient,
  errorText,
  readStream,
  type ConnectionSecurity,
} from '@lunastream/service-kit';
import { CommandError, ExitCode } from '../errors.ts';
import type { RunDisplay } from '../run-display.ts';

/** Starting a run reads the headers of the whole data set, which takes a while the first time. */
const START_TIMEOUT_MS = 600_000;
const CALL_TIMEOUT_MS = 10_000;
const NO_WEIGHTS = new Uint8Array();
/** A trainer that died is started again; it has this long to answer. */
const READY_TIMEOUT_MS = 60_000;
const READY_INTERVAL_MS = 250;

/** Runs on one trainer, as commands use them. */
export class RunSession {
  readonly #client: TrainingServiceClient;
  readonly #address: string;
  readonly #security: ConnectionSecurity;

  /** @throws InsecureConnectionError when `address` is beyond this machine, without TLS. */
  constructor(address: string, security: ConnectionSecurity) {
    this.#address = address;
    this.#security = security;
    this.#client = createClient(TrainingServiceClient, address, { security });
  }

  /** `weights` is the file that `settings.initialWeights` speaks of. */
  start(settings: RunSettings, weights: Uint8Array = NO_WEIGHTS): Promise<StartRunResponse> {
    const metadata = this.#security.tokenMetadata();
    return this.#call(
      this.#client.startRun.bind(this.#client),
      { settings, initialWeights: Buffer.from(weights) },
      { metadata, timeoutMs: START_TIMEOUT_MS },
    );
  }

  async stop(runId: string): Promise<RunState> {
    const metadata = this.#security.tokenMetadata();
    const { state } = await this.#call(this.#client.stopRun.bind(this.#client), { runId }, { metadata });
    return state;
  }

  async list(tbPrefix: string, limit: number) {
    const { runs } = await this.#call(this.#client.listRuns.bind(this.#client), { tbPrefix, limit });
    return runs;
  }

  async get(runId: string) {
    const { run } = await this.#call(this.#client.getRun.bind(this.#client), { runId });
    if (run === undefined) throw new Error('internal: the trainer answered without a run');
    return run;
  }

  /** Shows everything that happens to a run until it ends; returns how it ended. */
  async watch(runId: string, display: RunDisplay, signal: AbortSignal): Promise<RunState> {
    let state: RunState = RunState.UNSPECIFIED;
    for await (const response of readStream(this.#client.watchRun({ runId }), signal)) {
      display.show(response);
      if (response.event?.$case === 'status') state = response.event.value.state;
    }
    return state;
  }

  /** Resolves once the trainer answers; rejects with the signal's reason, or when it does not for a minute. */
  async ready(signal: AbortSignal): Promise<void> {
    const start = performance.now();
    for (;;) {
      signal.throwIfAborted();
      try {
        await this.list('', 1);
        return;
      } catch (error) {
        if (performance.now() - start > READY_TIMEOUT_MS) throw error;
      }
      await delay(READY_INTERVAL_MS, undefined, { signal });
    }
  }

  close(): void {
    this.#client.close();
    this.#security.close();
  }

  async #call<Request, Response>(
    method: Parameters<typeof callUnary<Request, Response>>[0],
    request: Request,
    { metadata = new Metadata(), timeoutMs = CALL_TIMEOUT_MS } = {},
  ): Promise<Response> {
    try {
      return await callUnary(method, request, { metadata, timeoutMs });
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      const reason = tlsFault(error);
      throw new CommandError(
        reason === undefined
          ? `Cannot reach a trainer at ${this.#address}: start one with \`lunastream up --data DIR\` or name it with --trainer`
          : `Cannot connect to the trainer at ${this.#address}: ${reason}`,
        ExitCode.failed,
        { cause: error },
      );
    }
  }
}

/** No connection at all, as opposed to a trainer that answers that something else is unavailable. */
function isUnreachable(error: unknown): boolean {
  return (
    error instanceof Error && /No connection established|ECONNREFUSED|ENOTFOUND|EAI_AGAIN/.test(error.message)
  );
}

/** What TLS has against the other side, when that is why there is no connection. */
function tlsFault(error: unknown): string | undefined {
  const last = /Last error: (?:Error: )?(.*?)(?:\. Resolution note: .*)?$/s.exec(errorText(error))?.[1] ?? '';
  if (/alert (?:certificate required|bad certificate)/.test(last)) {
    return 'it wants a client certificate of its authority (--tls-cert, --tls-key)';
  }
  const [, openSslPhrase] = /SSL routines:[^:]*:([^:]+):/.exec(last) ?? [];
  if (openSslPhrase !== undefined) return openSslPhrase;
  return /certificate|altnames|self.signed/i.test(last) ? last : undefined;
}

/** The exit code of a run's end. */
export function exitCodeOf(state: RunState): ExitCode {
  switch (state) {
    case RunState.FINISHED:
      return ExitCode.ok;
    case RunState.STOPPED:
      return ExitCode.interrupted;
    case RunState.FAILED:
    case RunState.RUNNING:
    case RunState.STARTING:
    case RunState.UNSPECIFIED:
      return ExitCode.failed;
  }
}
