import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rankServers } from './rendezvous.ts';

const servers = Array.from({ length: 8 }, (_, index) => `10.0.0.${index}:50051`);
const keys = Array.from({ length: 4000 }, (_, index) => `1.3.6.1.4.1.14519.${index}`);

describe('rankServers()', () => {
  it('ranks all servers, in the same order whatever the order they are listed in', () => {
    fc.assert(
      fc.property(fc.string(), fc.shuffledSubarray(servers), (key, listed) => {
        const ranked = rankServers(key, listed);
        expect([...ranked].sort()).toEqual([...listed].sort());
        expect(rankServers(key, [...listed].reverse())).toEqual(ranked);
      }),
    );
  });

  it('gives each server an equal share of the keys', () => {
    const shares = new Map<string, number>();
    for (const key of keys) {
      const [first] = rankServers(key, servers);
      shares.set(first!, (shares.get(first!) ?? 0) + 1);
    }
    // 500 expected; six standard deviations of a binomial are 125.
    for (const share of shares.values()) expect(Math.abs(share - 500)).toBeLessThan(125);
    expect(shares.size).toBe(8);
  });

  it('moves only the keys of a server that goes, each to its second choice', () => {
    const [gone, ...left] = servers;
    for (const key of keys) {
      const [first, second] = rankServers(key, servers);
      expect(rankServers(key, left)[0]).toBe(first === gone ? second : first);
    }
  });

  it('stays what it is: a cache that is full of chunks must be found again after an update', () => {
    expect(rankServers('1.3.6.1.4.1.14519.5', servers.slice(0, 3))).toMatchInlineSnapshot(`
      [
        "10.0.0.2:50051",
        "10.0.0.1:50051",
        "10.0.0.0:50051",
      ]
    `);
  });
});
