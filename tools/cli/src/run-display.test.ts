import { RunState, type WatchRunResponse } from '@lunastream/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeTerminal } from '../test/fake-terminal.ts';
import { lineEvent, progressEvent, scoresEvent, statusEvent, TIME } from '../test/fake-trainer.ts';
import { createRunDisplay, stateName, type DisplayForm } from './run-display.ts';

const FOLDER = '/runs/p2ch12/2026-11-23_09.05.13-dlwpt';
const STORY: readonly WatchRunResponse[] = [
  statusEvent(RunState.RUNNING),
  lineEvent('Epoch 1 of 1, 4/1 batches of size 4*1'),
  lineEvent('E1 Training ----/4, starting', 'WARNING'),
  progressEvent(0),
  progressEvent(16),
  scoresEvent({ split: 'trn' }),
  scoresEvent(),
  statusEvent(RunState.FINISHED),
];
const CLOSING = [
  '',
  'split   TP  FP  FN  TN  precision  recall      F1      F2    F0.5     AUC',
  'E1 trn   3   1   0  40     0.7500  1.0000  0.8571  0.9375  0.7895  0.9750',
  'E1 val   3   1   0  40     0.7500  1.0000  0.8571  0.9375  0.7895  0.9750',
  '',
  'best epoch 1, engine waited for samples 12.5 %',
  `run folder ${FOLDER}`,
  '',
];

function shown(
  form: DisplayForm,
  events: readonly WatchRunResponse[],
  terminal = new FakeTerminal(),
): string {
  const display = createRunDisplay(form, terminal);
  for (const event of events) display.show(event);
  display.close(FOLDER);
  return terminal.stdout;
}

describe('the full display', () => {
  it('writes lines with time and level, then the closing table and the run folder', () => {
    expect(shown('full', STORY).split('\n')).toEqual([
      '09:05:13 INFO     Epoch 1 of 1, 4/1 batches of size 4*1',
      '09:05:13 WARNING  E1 Training ----/4, starting',
      ...CLOSING,
    ]);
  });

  it('says once what it waits for, and again after samples came', () => {
    const waiting = 'augmentation workers: a (gone)';
    const events = [
      progressEvent(0, waiting),
      progressEvent(0, waiting),
      progressEvent(4),
      progressEvent(4, waiting),
    ];
    expect(shown('full', events)).toBe(
      `waiting for ${waiting}\nwaiting for ${waiting}\nrun folder ${FOLDER}\n`,
    );
  });

  it.each([
    [RunState.FAILED, 'Cannot make sample 5', 'run failed: Cannot make sample 5\n'],
    [RunState.STOPPED, '', 'run stopped\n'],
    [RunState.RUNNING, '', ''],
  ])('says how a run ended: state %i', (state, message, expected) => {
    const text = shown('full', [statusEvent(state, message)]);
    expect(text).toBe(`${expected}best epoch 1, engine waited for samples 12.5 %\nrun folder ${FOLDER}\n`);
  });

  it('shows no table of a run without scores', () => {
    expect(shown('full', [])).toBe(`run folder ${FOLDER}\n`);
  });

  it('draws nothing where standard output is no terminal', () => {
    const terminal = new FakeTerminal();
    shown('full', STORY, terminal);
    expect(terminal.bars.text).toBe('');
    expect(terminal.stderr).toBe('');
  });
});

describe('the full display on a terminal', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: TIME });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** One frame of a bar. */
  const frame = () => vi.advanceTimersByTime(100);

  it('draws a bar for the running epoch and clears it at its end', () => {
    const terminal = new FakeTerminal({ isInteractive: true, columns: 80 });
    const display = createRunDisplay('full', terminal);
    display.show(progressEvent(0));
    frame();
    display.show(progressEvent(8));
    frame();
    expect(terminal.drawn).toEqual([
      `E1 trn ${'░'.repeat(20)} 0/16 samples  0.0/s  loss 0.6931  - left`,
      `E1 trn ${'█'.repeat(10)}${'░'.repeat(10)} 8/16 samples  4.0/s  loss 0.6931  0:00:02 left`,
    ]);
    display.show(progressEvent(16));
    // Cursor shown again, and everything below it cleared.
    expect(terminal.bars.text.endsWith('\x1b[0J')).toBe(true);
    expect(terminal.bars.text.lastIndexOf('\x1b[?25h')).toBeGreaterThan(
      terminal.bars.text.lastIndexOf('\x1b[?25l'),
    );
    const before = terminal.bars.text;
    frame();
    expect(terminal.bars.text).toBe(before);
  });

  it('loses no line that is written while a bar is shown, not even just before its end', () => {
    const terminal = new FakeTerminal({ isInteractive: true });
    const display = createRunDisplay('full', terminal);
    display.show(progressEvent(0));
    display.show(lineEvent('E1 Training    4/8, done at 2026-11-23 09:05:23, 0:00:09'));
    frame();
    display.show(lineEvent('E1 Training    8/8, done at 2026-11-23 09:05:23, 0:00:09'));
    display.show(progressEvent(16));
    display.show(lineEvent('E1 LunaTrainingApp'));
    display.close(FOLDER);
    const all = `${terminal.drawn.join('\n')}\n${terminal.stdout}`;
    for (const text of ['4/8, done', '8/8, done', 'E1 LunaTrainingApp']) expect(all).toContain(text);
    expect(terminal.stdout).toBe(`09:05:13 INFO     E1 LunaTrainingApp\nrun folder ${FOLDER}\n`);
  });

  it('draws a bar of its own for each pass', () => {
    const terminal = new FakeTerminal({ isInteractive: true, columns: 80 });
    const display = createRunDisplay('full', terminal);
    for (const split of ['trn', 'val']) {
      display.show(progressEvent(8, '', split));
      frame();
      display.show(progressEvent(16, '', split));
    }
    expect(terminal.drawn.map((line) => line.slice(0, 6))).toEqual(
      expect.arrayContaining(['E1 trn', 'E1 val']),
    );
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves no bar and no timer behind when it is closed in the middle of an epoch', () => {
    const terminal = new FakeTerminal({ isInteractive: true });
    const display = createRunDisplay('full', terminal);
    display.show(progressEvent(4));
    frame();
    display.close(FOLDER);
    expect(vi.getTimerCount()).toBe(0);
    expect(terminal.bars.text.endsWith('\x1b[0J')).toBe(true);
  });
});

describe('the quiet display', () => {
  it('writes the closing words alone', () => {
    expect(shown('quiet', STORY).split('\n')).toEqual(CLOSING);
  });
});

describe('the JSON display', () => {
  it('writes a line per event, states by name, then one with the folder', () => {
    const events = [
      lineEvent('E1 LunaTrainingApp'),
      progressEvent(8),
      scoresEvent(),
      statusEvent(RunState.FINISHED),
    ];
    const lines = shown('json', events).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { event: 'logLine', time: TIME.toISOString(), level: 'INFO', text: 'E1 LunaTrainingApp' },
      { event: 'progress', epoch: 1, split: 'trn', doneSamples: 8, totalSamples: 16 },
      { event: 'scores', epoch: 1, split: 'val', truePositives: 3, recall: 1 },
      { event: 'status', state: 'finished', bestEpoch: 1, stallFraction: 0.125 },
      { event: 'closed', runFolder: FOLDER },
    ]);
  });

  it('leaves out a score that is undefined, and events that it does not know', () => {
    const lines = shown('json', [scoresEvent({ precision: undefined }), {} as WatchRunResponse]).split('\n');
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[0]!)).not.toHaveProperty('precision');
  });
});

describe('stateName()', () => {
  it('names every state', () => {
    const states = [0, 1, 2, 3, 4, 5] as RunState[];
    expect(states.map(stateName)).toEqual([
      'unspecified',
      'starting',
      'running',
      'finished',
      'stopped',
      'failed',
    ]);
  });
});
