import { withTemporaryFolder } from '@lunastream/testing';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
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
