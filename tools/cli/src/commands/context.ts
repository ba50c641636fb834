import type { Environment } from '@lunastream/service-kit';
import type { ExitCode } from '../errors.ts';
import type { Terminal } from '../terminal.ts';

/** What commands need of the process; main.ts hands over the real one. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly environment: Environment;
  /** Aborts on the first Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** Sets the code with which the process will end. */
  readonly setExitCode: (code: ExitCode) => void;
}

/** Where a trainer that was started by `lunastream up` answers, unless told otherwise. */
export const DEFAULT_TRAINER_ADDRESS = '127.0.0.1:50053';
/** Where services that this command starts keep chunks and logs. */
export const DEFAULT_STATE_FOLDER = '.lunastream';
