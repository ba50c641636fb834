import { describe, expect, it } from 'vitest';
import { processTerminal } from './terminal.ts';

function hostOf(stdout: { isTTY?: boolean; columns?: number }) {
  const written: [string, string][] = [];
  const stream = (name: string, rest: object) => ({
    ...rest,
    write: (text: string) => void written.push([name, text]),
  });
  const host = { stdout: stream('out', stdout), stderr: stream('err', { isTTY: true }) };
  return { written, host: host as unknown as Parameters<typeof processTerminal>[0] };
}

describe('processTerminal()', () => {
  it('writes results to standard output, messages and bars to standard error', () => {
    const { host, written } = hostOf({});
    const terminal = processTerminal(host);
    terminal.out('result');
    terminal.err('message');
    terminal.bars.write('bar');
    expect(written).toEqual([
      ['out', 'result'],
      ['err', 'message'],
      ['err', 'bar'],
    ]);
  });

  it('is interactive only when standard output is a terminal, whatever standard error is', () => {
    expect(processTerminal(hostOf({ isTTY: true, columns: 132 }).host)).toMatchObject({
      isInteractive: true,
      columns: 132,
    });
    expect(processTerminal(hostOf({}).host)).toMatchObject({ isInteractive: false, columns: 100 });
  });
});
