import { Metadata } from '@grpc/grpc-js';
import {
  RunState,
  TrainingServiceClient,
  type RunSettings,
  type StartRunResponse,
} from '@lunastream/contracts';
import { callUnary, createClient, readStream } from '@lunastream/service-kit';
import { CommandError, ExitCode } from '../errors.ts';
import type { RunDisplay } from '../run-display.ts';

/** Starting a run reads the headers of the whole data set, which takes a while the first time. */
const START_TIMEOUT_MS = 600_000;
const CALL_TIMEOUT_MS = 10_000;

/** Runs on one trainer, as commands use them. */
export class RunSession {
  readonly #client: TrainingServiceClient;
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
    this.#client = createClient(TrainingServiceClient, address);
  }

  start(settings: RunSettings): Promise<StartRunResponse> {
    return this.#call(this.#client.startRun.bind(this.#client), { settings }, START_TIMEOUT_MS);
  }

  async stop(runId: string): Promise<RunState> {
    const { state } = await this.#call(this.#client.stopRun.bind(this.#client), { runId });
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

  close(): void {
    this.#client.close();
  }

  async #call<Request, Response>(
    method: Parameters<typeof callUnary<Request, Response>>[0],
    request: Request,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<Response> {
    try {
      return await callUnary(method, request, { metadata: new Metadata(), timeoutMs });
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      throw new CommandError(
        `Cannot reach a trainer at ${this.#address}: start one with \`lunastream up --data DIR\` or name it with --trainer`,
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
