import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapInOrder } from './map-in-order.ts';

async function* numbers(count: number): AsyncGenerator<number> {
  for (let item = 0; item < count; item++) yield await Promise.resolve(item);
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const turns = async (count: number) => {
  for (let done = 0; done < count; done++) await turn();
};

describe('mapInOrder()', () => {
  it('gives every result once, in order, whatever each takes', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        async (delays, limit) => {
          let underWay = 0;
          const results = mapInOrder(numbers(delays.length), limit, async (item) => {
            underWay++;
            expect(underWay).toBeLessThanOrEqual(limit);
            await turns(delays[item]!);
            underWay--;
            return item * 10;
          });
          expect(await collect(results)).toEqual(delays.map((_, item) => item * 10));
        },
      ),
      { numRuns: 50 },
    ));

  it('gives a result while the source is still waiting for its next item', async () => {
    async function* stuck(): AsyncGenerator<number> {
      yield 7;
      await new Promise(() => undefined);
    }
    const results = mapInOrder(stuck(), 3, (item) => Promise.resolve(item));
    expect(await results.next()).toEqual({ done: false, value: 7 });
  });

  it('begins no more than the limit for a consumer that does not take', async () => {
    const begun: number[] = [];
    const results = mapInOrder(numbers(100), 4, (item) => Promise.resolve(begun.push(item)));
    await results.next();
    await turns(10);
    expect(begun).toEqual([0, 1, 2, 3]);
    await results.return();
  });

  it('gives what was begun before the source failed, then its error', async () => {
    async function* failing(): AsyncGenerator<number> {
      yield* numbers(2);
      throw new Error('the stream broke');
    }
    const given: number[] = [];
    const reading = async () => {
      for await (const item of mapInOrder(failing(), 3, (item) => Promise.resolve(item))) given.push(item);
    };
    await expect(reading()).rejects.toThrow('the stream broke');
    expect(given).toEqual([0, 1]);
  });

  it('throws a failed result in its place', async () => {
    const results = mapInOrder(numbers(3), 3, (item) =>
      item === 1 ? Promise.reject(new Error('no')) : Promise.resolve(item),
    );
    expect((await results.next()).value).toBe(0);
    await expect(results.next()).rejects.toThrow('no');
  });

  it('closes the source when the consumer leaves', async () => {
    let isClosed = false;
    async function* source(): AsyncGenerator<number> {
      try {
        yield* numbers(100);
      } finally {
        isClosed = true;
      }
    }
    for await (const item of mapInOrder(source(), 2, (item) => Promise.resolve(item))) if (item === 1) break;
    await turns(5);
    expect(isClosed).toBe(true);
  });
});
