import { statfsSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ChunkStoreWriteError } from './errors.ts';

/** Free bytes of the disk that a folder is on, for users without special rights. */
export type FreeBytes = (folder: string) => number;

/** A new store takes some 50 kB; between asking and writing others may write, too. */
const ROOM_TO_BEGIN_BYTES = 2 ** 20;
/** Chunks of one transaction, the pages that lead to them, and what others write meanwhile. */
const ROOM_TO_COMMIT_BYTES = 64 * 2 ** 20;
/** As Node names them, and as lmdb numbers them. */
const FULL_CODES: ReadonlySet<unknown> = new Set([
  'ENOSPC',
  'EDQUOT',
  constants.errno.ENOSPC,
  constants.errno.EDQUOT,
]);

export const freeBytesOf: FreeBytes = (folder) => {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
};

/**
 * To be called before lmdb opens a store in `folder`, which exists. lmdb writes its lock file through memory: where the disk has no
 * room for it, the system ends the process (SIGBUS), and nothing can be caught.
 * @throws ChunkStoreWriteError when a store must be begun there and the disk is full.
 */
export function assertRoomToBegin(folder: string, freeBytes: FreeBytes): void {
  const isBegun = isOnDisk(join(folder, 'data.mdb')) && isOnDisk(join(folder, 'lock.mdb'));
  if (!isBegun && freeBytes(folder) < ROOM_TO_BEGIN_BYTES) {
    throw new ChunkStoreWriteError(folder, new Error('No space left on device'));
  }
}

/** Whether a system call, or lmdb, failed because the disk or the user's share of it is full. */
export function isDiskFull(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return FULL_CODES.has(code);
}

/** Whether a commit of ordinary size surely fits, as far as the disk tells: it knows nothing of quotas and limits. */
export function hasRoomToCommit(folder: string, freeBytes: FreeBytes): boolean {
  return freeBytes(folder) >= ROOM_TO_COMMIT_BYTES;
}

/** Whether a file is there and the disk holds something of it: that of a process which died beginning it is one hole. */
function isOnDisk(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) > 0;
}
