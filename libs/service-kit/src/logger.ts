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
  /** Standard output when absent; a reader that went away is then ignored, so that a service can still stop in order. */
  readonly destination?: LogDestination | undefined;
}

/** Makes a service's logger: a JSON line per entry, times as ISO text. */
export function createLogger({ service, level, destination }: LoggerOptions): Logger {
  const options: LoggerSettings = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
