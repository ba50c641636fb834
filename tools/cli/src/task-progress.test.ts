import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeTerminal } from '../test/fake-terminal.ts';
import { createTaskProgress } from './task-progress.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('createTaskProgress()', () => {
  it('draws a bar with counts and time left, and clears it', () => {
    const terminal = new FakeTerminal({ isInteractive: true });
    const progress = createTaskProgress('scans', terminal);
    expect(terminal.bars.text).toBe('');
    progress.update(0, 4);
    vi.advanceTimersByTime(1000);
    progress.update(1, 4);
    vi.advanceTimersByTime(200);
    expect(terminal.drawn.at(-1)).toBe(`${'█'.repeat(10)}${'░'.repeat(30)} 1/4 scans  3s left`);
    progress.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(terminal.bars.text).toContain('\x1b[?25h');
  });

  it('follows a total that changes', () => {
    const terminal = new FakeTerminal({ isInteractive: true });
    const progress = createTaskProgress('steps', terminal);
    progress.update(3, 3);
    progress.update(1, 100);
    vi.advanceTimersByTime(200);
    expect(terminal.drawn.at(-1)).toContain(' 1/100 steps ');
    progress.close();
  });

  it('can be closed before anything was done', () => {
    const terminal = new FakeTerminal({ isInteractive: true });
    createTaskProgress('scans', terminal).close();
    expect(terminal.bars.text).toBe('');
  });

  it('is silent where standard output is no terminal', () => {
    const terminal = new FakeTerminal();
    const progress = createTaskProgress('scans', terminal);
    progress.update(1, 2);
    progress.close();
    expect(terminal.bars.text + terminal.stdout + terminal.stderr).toBe('');
    expect(vi.getTimerCount()).toBe(0);
  });
});
