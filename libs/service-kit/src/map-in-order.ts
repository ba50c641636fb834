/**
 * Maps what `source` gives, several items at a time, and yields the results in the order of the source, each as soon as
 * it and those before it are there. At most `limit` results are under way, so a slow consumer slows the source.
 *
 * When the source fails, what was begun before is yielded first, then its error thrown; a failed `map` throws in its
 * place. When the consumer leaves, the source is closed once it gives its next item, and results under way are dropped.
 */
export async function* mapInOrder<Item, Result>(
  source: AsyncIterable<Item> | Iterable<Item>,
  limit: number,
  map: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const results: Promise<Result>[] = [];
  let isEnded = false;
  let isLeft = false;
  // One waits at a time: filling waits while the results are full, yielding while they are empty.
  let wake: () => void = () => undefined;
  const change = () => new Promise<void>((resolve) => (wake = resolve));
  const add = (result: Promise<Result>) => {
    // Awaited below in order; until then its failure must not count as unhandled.
    result.catch(() => undefined);
    results.push(result);
    wake();
  };

  const fill = async () => {
    try {
      for await (const item of source) {
        while (results.length >= limit && !isLeft) await change();
        if (isLeft) return;
        add(map(item));
      }
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what the source threw, whatever it is
      add(Promise.reject(error));
    } finally {
      isEnded = true;
      wake();
    }
  };

  void fill();
  try {
    for (;;) {
      while (results.length === 0 && !isEnded) await change();
      const [first] = results;
      if (first === undefined) return;
      yield await first;
      void results.shift();
      wake();
    }
  } finally {
    isLeft = true;
    wake();
  }
}
