import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Makes a service's logger: JSON lines on standard output, times as ISO text, the service's name on each line. */
export function createLogger(options: { readonly service: string; readonly level: string }): Logger {
  return pino({
    level: options.level,
    base: { service: options.service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
