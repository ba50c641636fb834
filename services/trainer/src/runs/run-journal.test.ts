import { describe, expect, it } from 'vitest';
import { isFinal, RunJournal, type RunEvent, type RunState } from './run-journal.ts';

const line = (text: string): RunEvent => ({ kind: 'line', time: new Date(0), level: 'INFO', text });
const status = (state: RunState): RunEvent => ({
  kind: 'status',
  status: { state, message: '', bestEpoch: 0, stallFraction: 0 },
});
const progress = (doneSamples: number): RunEvent => ({
  kind: 'progress',
  progress: {
    epoch: 1,
    split: 'trn',
    doneSamples,
    totalSamples: 10,
    samplesPerSecond: 1,
    meanLoss: 0,
    waitingFor: undefined,
  },
});
const never = new AbortController().signal;

async function all(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const seen: RunEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

describe('RunJournal.watch()', () => {
  it('tells a late watcher the whole story, in order, and ends with it', async () => {
    const journal = new RunJournal();
    const story = [status('running'), line('one'), line('two'), status('finished')];
    for (const event of story) journal.add(event);
    expect(await all(journal.watch(never))).toEqual(story);
  });

  it('tells watchers that came at different times the same story', async () => {
    const journal = new RunJournal();
    const early = all(journal.watch(never));
    journal.add(status('running'));
    journal.add(line('one'));
    const late = all(journal.watch(never));
    await Promise.resolve();
    journal.add(line('two'));
    journal.add(status('stopped'));
    expect(await early).toEqual([status('running'), line('one'), line('two'), status('stopped')]);
    expect(await late).toEqual(await early);
  });

  it.each(['finished', 'stopped', 'failed'] as const)('ends after the state %s', async (state) => {
    const journal = new RunJournal();
    journal.add(status('running'));
    expect(journal.isEnded).toBe(false);
    journal.add(status(state));
    expect(journal.isEnded).toBe(true);
    expect((await all(journal.watch(never))).at(-1)).toEqual(status(state));
  });

  it('tells a slow watcher only the latest progress, but every line, and lines first', async () => {
    const journal = new RunJournal();
    const watching = journal.watch(never);
    journal.add(line('before'));
    expect((await watching.next()).value).toEqual(line('before'));
    for (const done of [1, 2, 3]) journal.add(progress(done));
    journal.add(line('after'));
    expect((await watching.next()).value).toEqual(line('after'));
    expect((await watching.next()).value).toEqual(progress(3));
    journal.add(progress(4));
    expect((await watching.next()).value).toEqual(progress(4));
    journal.add(status('finished'));
    expect((await watching.next()).value).toEqual(status('finished'));
    expect((await watching.next()).done).toBe(true);
  });

  it('tells no progress of the time before the watcher came', async () => {
    const journal = new RunJournal();
    journal.add(progress(1));
    journal.add(status('finished'));
    expect(await all(journal.watch(never))).toEqual([status('finished')]);
  });

  it.each([
    ['before it starts', true],
    ['while it waits', false],
  ])('rejects with the reason of a signal that aborts %s', async (_, isBefore) => {
    const gone = new AbortController();
    if (isBefore) gone.abort(new Error('the client went away'));
    const next = new RunJournal().watch(gone.signal).next();
    gone.abort(new Error('the client went away'));
    await expect(next).rejects.toThrow('the client went away');
  });

  it('leaves no listener on its signal behind, however long it watches', async () => {
    const { signal } = new AbortController();
    let listenerCount = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => (listenerCount++, add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listenerCount--, remove(...args));
    const journal = new RunJournal();
    const watching = journal.watch(signal);
    for (let count = 0; count < 20; count++) {
      const next = watching.next();
      expect(listenerCount).toBe(1);
      journal.add(line(String(count)));
      await next;
      expect(listenerCount).toBe(0);
    }
  });
});

describe('isFinal()', () => {
  it.each([
    ['starting', false],
    ['running', false],
    ['finished', true],
    ['stopped', true],
    ['failed', true],
  ] as const)('of %s is %s', (state, expected) => {
    expect(isFinal(state)).toBe(expected);
  });
});
