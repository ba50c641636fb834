import { status } from '@grpc/grpc-js';
import { errorText, isServiceError } from '@lunastream/service-kit';

/** How a command ended, for scripts. */
export const ExitCode = {
  ok: 0,
  /** Something failed that is not the caller's doing. */
  failed: 1,
  /** Bad input: the command line or the data must be changed. */
  badInput: 2,
  /** Interrupted by Ctrl-C, as shells count it. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** An end of the command with one sentence for a person. */
export class CommandError extends Error {
  readonly tag = 'CommandError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = ExitCode.badInput, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

const BAD_INPUT_STATUSES: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNAUTHENTICATED,
]);

/** The sentence and exit code of any error. */
export function describeError(error: unknown): { readonly message: string; readonly exitCode: ExitCode } {
  if (error instanceof CommandError) return { message: error.message, exitCode: error.exitCode };
  if (isServiceError(error)) {
    const exitCode = BAD_INPUT_STATUSES.has(error.code) ? ExitCode.badInput : ExitCode.failed;
    return { message: error.details, exitCode };
  }
  return {
    message: errorText(error),
    exitCode: isKnownBadInput(error) ? ExitCode.badInput : ExitCode.failed,
  };
}

/** Our libraries tag every error that a person can act on; bugs and system errors carry no tag. */
function isKnownBadInput(error: unknown): boolean {
  return error instanceof Error && 'tag' in error;
}
