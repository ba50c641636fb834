import { status } from '@grpc/grpc-js';
import { MissingDatasetFileError } from '@lunastream/dataset';
import { PhantomSettingsError, PhantomTargetError } from '@lunastream/phantom';
import { describe, expect, it } from 'vitest';
import { CommandError, describeError, ExitCode } from './errors.ts';

const serviceError = (code: status) =>
  Object.assign(new Error(`${code} ${status[code]}: it is so`), { code, details: 'it is so' });

describe('describeError()', () => {
  it.each([
    [status.INVALID_ARGUMENT, ExitCode.badInput],
    [status.NOT_FOUND, ExitCode.badInput],
    [status.FAILED_PRECONDITION, ExitCode.badInput],
    [status.OUT_OF_RANGE, ExitCode.badInput],
    [status.RESOURCE_EXHAUSTED, ExitCode.failed],
    [status.UNAVAILABLE, ExitCode.failed],
    [status.INTERNAL, ExitCode.failed],
    [status.CANCELLED, ExitCode.failed],
  ])('of status %i is what the service said, exit code %i', (code, exitCode) => {
    expect(describeError(serviceError(code))).toEqual({ message: 'it is so', exitCode });
  });

  it('of a command’s own error is its sentence and code', () => {
    expect(describeError(new CommandError('Cannot train: name a folder'))).toEqual({
      message: 'Cannot train: name a folder',
      exitCode: ExitCode.badInput,
    });
    expect(describeError(new CommandError('interrupted', ExitCode.interrupted)).exitCode).toBe(130);
  });

  it.each([
    new MissingDatasetFileError('/d/candidates.csv', 'it must exist'),
    new PhantomSettingsError(['seed must be an integer']),
    new PhantomTargetError('/d', 'it holds something else'),
  ])('of what our libraries refuse is bad input: $message', (error) => {
    expect(describeError(error)).toEqual({ message: error.message, exitCode: ExitCode.badInput });
  });

  it.each([new TypeError('x is not a function'), new RangeError('too far'), 'a thrown text', undefined])(
    'of anything else is a failure: %s',
    (error) => {
      const { message, exitCode } = describeError(error);
      expect(message).toBe(error instanceof Error ? error.message : String(error));
      expect(exitCode).toBe(ExitCode.failed);
    },
  );

  it('never holds a stack trace', () => {
    for (const error of [new Error('a bug'), serviceError(status.INTERNAL)]) {
      expect(describeError(error).message).not.toMatch(/\n\s+at /);
    }
  });
});
