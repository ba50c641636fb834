import { createHash } from 'node:crypto';

/**
 * Servers of `key` from the best to the worst, by rendezvous hashing (Thaler and Ravishankar 1998): everybody who knows the
 * same servers ranks them alike, and one that comes or goes moves only its own share of the keys.
 */
export function rankServers(key: string, servers: readonly string[]): string[] {
  const scored = servers.map((server) => ({ server, score: scoreOf(key, server) }));
  scored.sort(
    (a, b) => Number(b.score > a.score) - Number(b.score < a.score) || (a.server < b.server ? -1 : 1),
  );
  return scored.map(({ server }) => server);
}

/** 48 bits of a digest: exact as a number. */
function scoreOf(key: string, server: string): number {
  return createHash('sha256').update(key).update('\0').update(server).digest().readUIntBE(0, 6);
}
