import { withTemporaryFolder } from '@lunastream/testing';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';

// A limit for the size of files stands for a full disk: it needs no rights and hits one process, which must be a child.

const compiled = new URL('../dist/src/index.js', import.meta.url);
const canRun = existsSync(compiled) && spawnSync('prlimit', ['--version']).status === 0;

/** 48 chunks of 8 kB where 160 kB fit, then tiny and large ones, then room again. */
const FILL = `
  import { spawnSync } from 'node:child_process';
  import { LmdbChunkStore, TieredChunkStore } from '${compiled.href}';
  const folder = process.argv[1];
  const said = [];
  const lmdb = new LmdbChunkStore({ folder, limitBytes: 1e9 });
  const store = new TieredChunkStore([lmdb], {
    onTierError: (tier, error) => said.push(tier + ' fails: ' + error.message),
    onTierRecovered: (tier) => said.push(tier + ' works'),
  });
  const chunkOf = (number, voxels = 4000) => new Int16Array(voxels).fill(number);
  const keep = async (numbers, voxels) => {
    const cut = await Promise.all(
      numbers.map((number) => store.getOrCut(number + 'x' + voxels, () => Promise.resolve(chunkOf(number, voxels)))),
    );
    await store.settled();
    return cut.every((voxels, at) => voxels[0] === numbers[at]);
  };
  const numbers = (count) => Array.from({ length: count }, (_, number) => number);
  let isRight = true;
  for (let round = 0; round < 3; round++) isRight &&= await keep(numbers(48), 4000);
  isRight &&= await keep(numbers(3), 1);
  isRight &&= await keep(numbers(3), 40000);
  const full = { isRight, said: [...said], ...store.stats()[0] };
  spawnSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited']);
  isRight = await keep(numbers(100), 4001);
  await store.close();
  const again = new LmdbChunkStore({ folder, limitBytes: 1e9 });
  let keptRight = 0;
  for (const number of numbers(100)) keptRight += (await again.get(number + 'x4001'))?.at(-1) === number;
  const { corruptCount } = await again.verify();
  await again.close();
  console.log(JSON.stringify({ full, isRight, said, keptRight, corruptCount }));
`;

/** A disk of its own, of 2 MB, in the memory of one process and gone with it. */
const DISK = [
  '--user',
  '--map-root-user',
  '--mount',
  'sh',
  '-c',
  'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"',
];
const canMount =
  existsSync(compiled) && spawnSync('unshare', [...DISK, tmpdir(), 'true'], { stdio: 'ignore' }).status === 0;

/** Begins on a full disk, gets room, fills the disk itself, gets room again. */
const BEGIN = `
  import { readdirSync, rmSync, writeFileSync } from 'node:fs';
  import { LateChunkStore, LmdbChunkStore, TieredChunkStore } from '${compiled.href}';
  const disk = process.argv[1];
  const fill = () => { try { writeFileSync(disk + '/fill', Buffer.alloc(4e6)); } catch (error) { return error.code; } };
  const said = [];
  const open = () => new LmdbChunkStore({ folder: disk + '/chunks', limitBytes: 1e9 });
  const code = fill();
  const lmdb = new LateChunkStore({ tier: 'lmdb', limitBytes: 1e9, open });
  const store = new TieredChunkStore([lmdb], {
    onTierError: (tier, error) => said.push(tier + ' fails: ' + error.message),
    onTierRecovered: (tier) => said.push(tier + ' works'),
  });
  const keep = async (name, count) => {
    for (let number = 0; number < count; number++) {
      const voxels = await store.getOrCut(name + number, () => Promise.resolve(new Int16Array(4000).fill(number)));
      if (voxels.length !== 4000 || voxels[0] !== number) throw new Error('another chunk');
      await store.settled();
    }
  };
  await keep('full', 20);
  const begun = { code, said: [...said], entries: store.stats()[0].entryCount, left: readdirSync(disk) };
  rmSync(disk + '/fill');
  await keep('room', 60);
  const kept = { said: said.slice(begun.said.length), entries: store.stats()[0].entryCount };
  await keep('more', 400);
  const full = { entries: store.stats()[0].entryCount, errors: store.stats()[0].errorCount };
  await store.close();
  const again = open();
  const { corruptCount } = await again.verify();
  const found = (await again.get('room59'))?.[0];
  await again.close();
  console.log(JSON.stringify({ begun, kept, full, said, corruptCount, found }));
`;

it.skipIf(!canMount)(
  'LmdbChunkStore begun on a full disk: chunks are served, it is said once, and with room they are kept [needs npm run setup, unshare]',
  () =>
    withTemporaryFolder((disk) => {
      const node = [process.execPath, '--input-type=module', '--eval', BEGIN, disk];
      const { status, stdout, stderr } = spawnSync('unshare', [...DISK, disk, ...node], { encoding: 'utf8' });
      // A line that lmdb's C code prints where a write fails in the midst; no stack, and no more.
      const printed = stderr.replaceAll(/Write error: No space left on device position \d+, size \d+/g, '');
      expect([status, printed]).toEqual([0, '']);
      const { begun, kept, full, said, ...after } = JSON.parse(stdout) as Record<
        string,
        Record<string, unknown>
      >;
      const fails = expect.stringMatching(
        /^lmdb fails: Cannot write to the lmdb tier: the disk of .* must work and have room, got /,
      ) as string;
      // Nothing half begun is left behind.
      expect(begun).toEqual({ code: 'ENOSPC', said: [fails], entries: 0, left: ['chunks', 'fill'] });
      expect(kept).toEqual({ said: ['lmdb works'], entries: 60 });
      expect(full!['entries']).toBeLessThan(460);
      expect(full!['errors']).toBeGreaterThan(20);
      expect(said).toEqual([fails, 'lmdb works', fails]);
      expect(after).toEqual({ corruptCount: 0, found: 59 });
      return Promise.resolve();
    }),
);

it.skipIf(!canRun)(
  'LmdbChunkStore on a full disk: chunks are served and nothing else breaks, it is said once, counted, and over with room [needs npm run setup, prlimit]',
  () =>
    withTemporaryFolder((folder) => {
      const node = [process.execPath, '--input-type=module', '--eval', FILL, folder];
      const { status, stdout, stderr } = spawnSync('prlimit', ['--fsize=160000:unlimited', ...node], {
        encoding: 'utf8',
      });
      // What lmdb itself prints of the one commit that it made in its own thread.
      expect(stderr.match(/Error/g) ?? []).toHaveLength(1);
      expect(status).toBe(0);
      const { full, ...after } = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
      expect(full).toMatchObject({
        isRight: true,
        said: [expect.stringMatching(/^lmdb fails: Cannot write to the lmdb tier: the disk of /)],
      });
      expect(full!['errorCount']).toBeGreaterThan(3 * 20);
      expect(full!['entryCount']).toBeGreaterThan(0);
      expect(after).toEqual({
        isRight: true,
        said: [...(full!['said'] as string[]), 'lmdb works'],
        keptRight: 100,
        corruptCount: 0,
      });
      return Promise.resolve();
    }),
);
