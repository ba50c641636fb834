import { describe, expect, it } from 'vitest';
import { CallAhead, ChunksAhead } from './chunks-ahead.ts';

const MIB = 2 ** 20;

/** Takes what `call` lets through now, up to `most` items. */
async function taken(items: AsyncIterator<number>, most = 100): Promise<number[]> {
  const got: number[] = [];
  while (got.length < most) {
    const next = await Promise.race([
      items.next(),
      new Promise<'waits'>((resolve) => setImmediate(resolve, 'waits')),
    ]);
    if (next === 'waits' || next.done === true) break;
    got.push(next.value);
  }
  return got;
}

const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);

describe('ChunksAhead', () => {
  it('lets a call hold 16 MiB, and the next chunk once one was sent', async () => {
    const all = new ChunksAhead(1024 * MIB);
    const call = new CallAhead(all, 3 * MIB);
    const items = call.paced(numbers(20));
    expect(await taken(items)).toEqual([0, 1, 2, 3, 4]);
    expect(all.heldBytes).toBe(15 * MIB);
    call.noteSent();
    call.noteSent();
    // The sixth was asked for above, and now comes to that asker.
    expect(await taken(items)).toEqual([6]);
    expect(all.heldBytes).toBe(15 * MIB);
  });

  it('lets each call hold one chunk, whatever others hold and however large it is', async () => {
    const all = new ChunksAhead(4 * MIB);
    const calls = numbers(10).map(() => new CallAhead(all, 2 * MIB).paced(numbers(20)));
    const counts: number[] = [];
    for (const call of calls) counts.push((await taken(call)).length);
    expect(counts).toEqual([2, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    const large = new CallAhead(all, 100 * MIB).paced(numbers(20));
    expect(await taken(large)).toEqual([0]);
    expect(all.heldBytes).toBe(22 * MIB + 100 * MIB);
  });

  it('waits until all is sent, or the call is over: then it gives everything back and lets nothing more through', async () => {
    const all = new ChunksAhead(100 * MIB);
    const done = new CallAhead(all, 8 * MIB);
    expect(await taken(done.paced([0, 1]))).toEqual([0, 1]);
    const sent = done.sent();
    done.noteSent();
    done.noteSent();
    await sent;
    expect(all.heldBytes).toBe(0);
    const left = new CallAhead(all, 10 * MIB);
    const items = left.paced(numbers(20));
    expect((await items.next()).value).toBe(0);
    const next = items.next();
    left.end();
    expect((await next).done).toBe(true);
    await left.sent();
    left.noteSent();
    expect(all.heldBytes).toBe(0);
  });
});
