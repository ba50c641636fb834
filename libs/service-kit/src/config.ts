import type { z } from 'zod';

/** The environment a service reads its configuration from; tests pass their own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One setting of a service: where it comes from, what it may be, and what a person needs to know about it. */
export interface Setting<Value> {
  /** Name of the environment variable. */
  readonly variable: string;
  /** Parses the variable's text. */
  readonly schema: z.ZodType<Value, string>;
  /** Text used when the variable is unset or empty; a setting without one is required. */
  readonly fallback?: string;
  /** One sentence with unit and range, shown by --help. */
  readonly help: string;
  /** Secrets are masked wherever the configuration is shown. */
  readonly secret?: boolean;
}

/** Settings by the name that code uses for them. */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** The values of a set of settings. */
export type ConfigOf<S extends Settings> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer Value> ? Value : never;
};

/** Declares a setting, inferring its type from the schema. */
export function setting<Value>(declaration: Setting<Value>): Setting<Value> {
  return declaration;
}

/** Configuration that cannot be used. `faults` has a line per variable; the environment must be changed. */
export class ConfigError extends Error {
  readonly tag = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `Cannot start: the environment has ${faults.length} fault(s)\n${faults.map((line) => `  ${line}`).join('\n')}`,
    );
    this.faults = faults;
  }
}

function textOf(one: Setting<unknown>, environment: Environment): string | undefined {
  const text = environment[one.variable];
  return text === undefined || text === '' ? one.fallback : text;
}

/**
 * Reads every setting from `environment`. Nothing is clamped or guessed.
 * @throws ConfigError with all faults at once.
 */
export function compileConfig<S extends Settings>(settings: S, environment: Environment): ConfigOf<S> {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(settings)) {
    const text = textOf(one, environment);
    if (text === undefined) {
      faults.push(`${one.variable} is missing: ${one.help}`);
      continue;
    }
    const parsed = one.schema.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else {
      const shown = one.secret ? '(masked)' : `'${text}'`;
      faults.push(
        `${one.variable}=${shown}: ${parsed.error.issues.map((issue) => issue.message).join('; ')}. ${one.help}`,
      );
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return values as ConfigOf<S>;
}

/** The effective configuration as text by variable, secrets masked: what a service logs once at start. */
export function maskedConfig(settings: Settings, environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.values(settings).map((one) => {
      const text = textOf(one, environment) ?? '';
      return [one.variable, one.secret && text !== '' ? '(masked)' : text];
    }),
  );
}

/** The --help text of a service: a line per variable with its default. */
export function describeSettings(title: string, settings: Settings): string {
  const width = Math.max(...Object.values(settings).map((one) => one.variable.length));
  const lines = Object.values(settings).map((one) => {
    const fallback =
      one.fallback === undefined ? 'required' : `default ${one.fallback === '' ? 'empty' : one.fallback}`;
    return `  ${one.variable.padEnd(width)}  ${one.help} (${fallback})`;
  });
  return [title, '', 'Environment variables:', ...lines, ''].join('\n');
}
