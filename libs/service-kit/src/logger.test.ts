import { expect, it } from 'vitest';
import { createLogger } from './logger.ts';

it('createLogger() writes a JSON line with level name, service and ISO time', () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ service: 'chunk-cache', level: 'warn', destination });
  logger.info('too quiet');
  logger.error({ err: new Error('disk full'), tier: 'lmdb' }, 'tier failed');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/}\n$/);
  expect(JSON.parse(lines[0]!)).toEqual({
    level: 'error',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
    service: 'chunk-cache',
    err: expect.objectContaining({ message: 'disk full', type: 'Error' }) as object,
    tier: 'lmdb',
    msg: 'tier failed',
  });
});
