import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';

describe('Arena', () => {
  it('gives out aligned addresses one after the other', () => {
    const arena = new Arena(128);
    expect([arena.take(1), arena.take(64), arena.take(65), arena.take(0), arena.take(1)]).toEqual([
      128, 192, 256, 384, 384,
    ]);
    expect(arena.size).toBe(320);
  });

  it('uses temporary room again, and counts it', () => {
    const arena = new Arena(0);
    const rooms = [0, 1].map(() => arena.temporarily(() => [arena.take(100), arena.take(1000)]));
    expect(rooms[1]).toEqual(rooms[0]);
    expect(arena.take(1)).toBe(0);
    expect(arena.size).toBe(128 + 1024);
  });
});
