import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compileConfig, ConfigError, describeSettings, maskedConfig, setting } from './config.ts';
import { addressSchema, integerSchema } from './setting-schemas.ts';

const settings = {
  listen: setting({ variable: 'LISTEN', schema: addressSchema, fallback: '127.0.0.1:1', help: 'Address' }),
  retries: setting({ variable: 'RETRIES', schema: integerSchema(0, 9), help: 'Tries after the first, 0..9' }),
  label: setting({ variable: 'LABEL', schema: z.string(), fallback: '', help: 'Free text' }),
  token: setting({
    variable: 'API_TOKEN',
    schema: z.string().min(8, { error: 'must have 8 characters' }),
    fallback: 'none-given',
    help: 'Secret of the store',
    secret: true,
  }),
} as const;

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    compileConfig(settings, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('compileConfig()', () => {
  it('parses every variable to its type', () => {
    const config = compileConfig(settings, {
      LISTEN: '[::1]:0',
      RETRIES: '3',
      LABEL: 'night run',
      API_TOKEN: '12345678',
      PATH: '/ignored',
    });
    expect(config).toEqual({ listen: '[::1]:0', retries: 3, label: 'night run', token: '12345678' });
  });

  it('takes the fallback for a variable that is unset or empty', () => {
    const unset = compileConfig(settings, { RETRIES: '0' });
    expect(unset).toEqual({ listen: '127.0.0.1:1', retries: 0, label: '', token: 'none-given' });
    expect(compileConfig(settings, { RETRIES: '0', LISTEN: '', API_TOKEN: '' })).toEqual(unset);
  });

  it('names a required variable that is unset or empty, with its help', () => {
    expect(faultsOf({})).toEqual(['RETRIES is missing: Tries after the first, 0..9']);
    expect(faultsOf({ RETRIES: '' })).toEqual(['RETRIES is missing: Tries after the first, 0..9']);
  });

  it('reports all faults at once, in the order of the settings, with value, rule and help', () => {
    expect(faultsOf({ LISTEN: 'here', API_TOKEN: 'short' })).toEqual([
      "LISTEN='here': must be host:port. Address",
      'RETRIES is missing: Tries after the first, 0..9',
      'API_TOKEN=(masked): must have 8 characters. Secret of the store',
    ]);
  });

  it('never clamps a value that is out of range', () => {
    expect(faultsOf({ RETRIES: '10' })).toEqual([
      "RETRIES='10': must be in 0..9. Tries after the first, 0..9",
    ]);
  });

  it('puts every fault on a line of its message and no secret into it', () => {
    const environment = { LISTEN: 'here', RETRIES: 'x', API_TOKEN: 'hunter2' };
    expect(() => compileConfig(settings, environment)).toThrow(
      /^Cannot start: the environment has 3 fault\(s\)\n {2}LISTEN=.*\n {2}RETRIES=.*\n {2}API_TOKEN=/,
    );
    expect(() => compileConfig(settings, environment)).not.toThrow(/hunter2/);
  });
});

describe('maskedConfig()', () => {
  it('shows what is in force by variable, fallbacks included, and no secret', () => {
    expect(maskedConfig(settings, { RETRIES: '3', API_TOKEN: '12345678', PATH: '/not/ours' })).toEqual({
      LISTEN: '127.0.0.1:1',
      RETRIES: '3',
      LABEL: '',
      API_TOKEN: '(masked)',
    });
  });

  it('tells a secret that is not set from one that is', () => {
    const optional = { token: setting({ ...settings.token, fallback: '' }) };
    expect(maskedConfig(optional, {})).toEqual({ API_TOKEN: '' });
    expect(maskedConfig(optional, { API_TOKEN: '12345678' })).toEqual({ API_TOKEN: '(masked)' });
  });
});

describe('describeSettings()', () => {
  it('prints title and a line per variable, aligned, with its default', () => {
    const { token, ...open } = settings;
    expect(describeSettings('a service: does things', { ...open, token: { ...token, fallback: '' } })).toBe(
      [
        'a service: does things',
        '',
        'Environment variables:',
        '  LISTEN     Address (default 127.0.0.1:1)',
        '  RETRIES    Tries after the first, 0..9 (required)',
        '  LABEL      Free text (default empty)',
        '  API_TOKEN  Secret of the store (default empty)',
        '',
      ].join('\n'),
    );
  });
});
