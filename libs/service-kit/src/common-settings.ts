import { setting, type Setting } from './config.ts';
import { securitySettings } from './security-settings.ts';
import { addressOrOffSchema, integerSchema, logLevelSchema } from './setting-schemas.ts';

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
  maxCalls: setting({
    variable: 'LUNASTREAM_MAX_CALLS',
    schema: integerSchema(1, 65_536),
    fallback: '256',
    help: 'Most calls answered at a time, 1..65536; one more is refused',
  }),
  stallTimeoutMs: setting({
    variable: 'LUNASTREAM_STALL_TIMEOUT_MS',
    schema: integerSchema(1000, 86_400_000),
    fallback: '600000',
    help: 'Milliseconds that a client may leave an answer unread before its connection is closed',
  }),
  probeAddress: setting({
    variable: 'LUNASTREAM_PROBE_LISTEN',
    schema: addressOrOffSchema,
    fallback: 'off',
    help: 'Address for probes of a platform without TLS (liveness, startup, readiness), host:port; off for none',
  }),
  ...securitySettings,
} as const;

/** Where Prometheus scrapes a service; services of one machine have different ports by default. */
export function prometheusSetting(fallback: string): Setting<string | undefined> {
  return setting({
    variable: 'LUNASTREAM_PROMETHEUS_LISTEN',
    schema: addressOrOffSchema,
    fallback,
    help: 'Address that Prometheus scrapes, host:port; port 0 takes any, off none. What is told there is no secret',
  });
}
