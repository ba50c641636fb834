import { logFields } from '@lunastream/telemetry';
import { pino, type Logger, type LoggerOptions as LoggerSettings } from 'pino';

export type { Logger } from 'pino';

/** Where log lines go. */
export interface LogDestination {
  write(line: string): void;
}

export interface LoggerOptions {
  /** The service's name, on each line. */
  readonly service: string;
  /** Level of the least important lines that are written. */
  readonly level: string;
  readonly destination: LogDestination;
}

/**
 * Makes a service's logger: a JSON line per entry, times as ISO text, with the ids of the run and
 * trace that the line belongs to. pino's own destination is never used: it waits for
 * ever at the end of a process whose standard output nobody reads any more.
 */
export function createLogger({ service, level, destination }: LoggerOptions): Logger {
  const options: LoggerSettings = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: logFields,
    formatters: { level: (label) => ({ level: label }) },
  };
  return pino(options, destination);
}
