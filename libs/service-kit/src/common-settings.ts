import { setting } from './config.ts';
import { integerSchema, logLevelSchema } from './setting-schemas.ts';

/** Settings that every service has. */
export const commonSettings = {
  logLevel: setting({
    variable: 'LUNASTREAM_LOG_LEVEL',
    schema: logLevelSchema,
    fallback: 'info',
    help: 'Least important log lines written: trace, debug, info, warn, error, fatal or silent',
  }),
  drainDelayMs: setting({
    variable: 'LUNASTREAM_DRAIN_DELAY_MS',
    schema: integerSchema(0, 60_000),
    fallback: '0',
    help: 'Milliseconds between reporting NOT_SERVING and refusing work, for load balancers to notice',
  }),
  drainTimeoutMs: setting({
    variable: 'LUNASTREAM_DRAIN_TIMEOUT_MS',
    schema: integerSchema(0, 600_000),
    fallback: '2000',
    help: 'Milliseconds that streams under way may still take when the service stops',
  }),
} as const;
