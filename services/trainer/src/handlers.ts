import { DatasetFaultError } from '@lunastream/chunk-source';
import { TrainingServiceService, type TrainingServiceServer } from '@lunastream/contracts';
import {
  isServiceError,
  protectedUnaryHandler,
  RequestError,
  streamHandler,
  unaryHandler,
  type HandlerContext,
  type ServedService,
} from '@lunastream/service-kit';
import { status } from '@grpc/grpc-js';
import { EngineStartError, RunFolderError, UnusableDatasetError } from './errors.ts';
import { TrainerBusyError, type RunManager } from './runs/run-manager.ts';
import { RunSettingsError } from './runs/run-settings.ts';
import { fromWireSettings, toWireEvent, toWireRun, toWireState } from './runs/run-wire.ts';

const DEFAULT_LIST_LIMIT = 100;
const MAX_LIST_LIMIT = 1000;

/** The gRPC service of the trainer. */
export function createHandlers(runs: RunManager, context: HandlerContext): ServedService[] {
  const implementation: TrainingServiceServer = {
    startRun: protectedUnaryHandler(context, async ({ settings, initialWeights }) => {
      if (settings === undefined) {
        throw new RequestError('invalid-argument', 'Cannot start a run: settings must be set, got none');
      }
      const { runId, path } = await refuse(
        runs.start(fromWireSettings(settings), settings.resumeRunId, initialWeights),
      );
      return { runId, runFolder: path };
    }),
    watchRun: streamHandler(context, async function* ({ runId }, signal) {
      // The first event tells whether there is such a run.
      await refuse(runs.get(runId));
      for await (const event of runs.watch(runId, signal)) yield toWireEvent(event);
    }),
    stopRun: protectedUnaryHandler(context, async ({ runId }) => ({
      state: toWireState(await refuse(runs.stop(runId))),
    })),
    listRuns: unaryHandler(context, async ({ tbPrefix, limit }) => {
      if (limit > MAX_LIST_LIMIT) {
        throw new RequestError(
          'invalid-argument',
          `Cannot list runs: limit must be 0..${MAX_LIST_LIMIT}, got ${limit}`,
        );
      }
      return { runs: (await runs.list(tbPrefix, limit || DEFAULT_LIST_LIMIT)).map(toWireRun) };
    }),
    getRun: unaryHandler(context, async ({ runId }) => ({ run: toWireRun(await refuse(runs.get(runId))) })),
  };
  return [{ definition: TrainingServiceService, implementation }];
}

/** Maps what the domain refuses to what a caller can act on; anything else is a bug and stays one. */
async function refuse<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    throw toRequestError(error);
  }
}

function toRequestError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const as = (kind: RequestError['kind']) => new RequestError(kind, error.message, { cause: error });
  if (error instanceof RunSettingsError) return as('invalid-argument');
  if (error instanceof EngineStartError) return toEngineRefusal(error);
  if (error instanceof TrainerBusyError) return as('resource-exhausted');
  if (error instanceof RunFolderError)
    return as(error.kind === 'missing' ? 'not-found' : 'failed-precondition');
  if (error instanceof UnusableDatasetError) return as('failed-precondition');
  if (error instanceof DatasetFaultError)
    return as(error.fault === 'unknown' ? 'not-found' : 'failed-precondition');
  if (isServiceError(error)) return fromChunkCache(error);
  return error;
}

function toEngineRefusal(error: EngineStartError): unknown {
  switch (error.kind) {
    case 'bad-settings':
      return new RequestError('invalid-argument', error.message, { cause: error });
    case 'unavailable':
      return new RequestError('failed-precondition', error.message, { cause: error });
    case 'internal':
      return error;
  }
}

function fromChunkCache(error: Error & { code: status; details: string }): RequestError {
  if (error.code === status.NOT_FOUND) return new RequestError('not-found', error.details, { cause: error });
  if (error.code === status.FAILED_PRECONDITION) {
    return new RequestError('failed-precondition', error.details, { cause: error });
  }
  return new RequestError('unavailable', `the chunk cache does not answer: ${error.details}`, {
    cause: error,
  });
}
