/** What the chunk cache keeps: in the folders of a state folder, or as a running service counts it. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Metadata } from '@grpc/grpc-js';
import { clearCopies, countCopies, verifyCopies, type CheckedCopies } from '@lunastream/chunk-source';
import { LmdbChunkStore, type CheckedChunks } from '@lunastream/chunk-store';
import { ChunkServiceClient, type GetChunkStatsResponse } from '@lunastream/contracts';
import { callUnary, createClient, type Environment } from '@lunastream/service-kit';
import { formatTable } from './closing-table.ts';
import { openSecurity, type ConnectionOptions } from './connection-options.ts';
import { CommandError } from './errors.ts';

const STATS_TIMEOUT_MS = 10_000;
const NOTHING = { entryCount: 0, sizeBytes: 0 };

/** How many there are, and bytes of them. */
export interface Held {
  readonly entryCount: number;
  readonly sizeBytes: number;
}

export interface HeldEntries {
  readonly chunks: Held;
  readonly copies: Held;
}

/** Where services that this command starts keep chunks and copies, below their state folder. */
export function cacheFoldersOf(stateFolder: string): { readonly chunks: string; readonly copies: string } {
  return { chunks: join(stateFolder, 'chunks'), copies: join(stateFolder, 'volumes') };
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** The folders of kept chunks and copies; processes that have them open may run meanwhile. */
export class CacheFolders {
  readonly #chunks: string | undefined;
  readonly #copies: string | undefined;

  private constructor(chunks: string | undefined, copies: string | undefined) {
    this.#chunks = chunks;
    this.#copies = copies;
  }

  /** Those of `stateFolder`; makes none. @throws CommandError when it has neither. */
  static async find(stateFolder: string): Promise<CacheFolders> {
    const { chunks, copies } = cacheFoldersOf(stateFolder);
    // lmdb makes a store where there is none: looking must not.
    const hasChunks = await isThere(join(chunks, 'data.mdb'));
    const hasCopies = await isThere(copies);
    if (!hasChunks && !hasCopies) {
      throw new CommandError(
        `Cannot find kept chunks: a state folder has ${chunks} or ${copies}, got neither`,
      );
    }
    return new CacheFolders(hasChunks ? chunks : undefined, hasCopies ? copies : undefined);
  }

  async stats(): Promise<HeldEntries> {
    const chunks = await this.#withStore((store) => {
      const { entryCount, sizeBytes } = store.stats();
      return Promise.resolve({ entryCount, sizeBytes });
    });
    const copies = this.#copies === undefined ? undefined : await countCopies(this.#copies);
    return { chunks: chunks ?? NOTHING, copies: copies ?? NOTHING };
  }

  /** Removes everything; tells what there was. */
  async clear(): Promise<HeldEntries> {
    const { chunks } = await this.stats();
    await this.#withStore((store) => store.clear());
    const copies = this.#copies === undefined ? undefined : await clearCopies(this.#copies);
    return { chunks, copies: copies ?? NOTHING };
  }

  /** Reads everything and removes what is damaged. `onProgress` is told how many chunks of how many were read. */
  async verify(
    onProgress: (done: number, total: number) => void,
  ): Promise<{ readonly chunks: CheckedChunks; readonly copies: CheckedCopies }> {
    const nothing = { ...NOTHING, corruptCount: 0 };
    const chunks = await this.#withStore((store) => store.verify(onProgress));
    const copies = this.#copies === undefined ? undefined : await verifyCopies(this.#copies);
    return { chunks: chunks ?? nothing, copies: copies ?? nothing };
  }

  async #withStore<Value>(use: (store: LmdbChunkStore) => Promise<Value>): Promise<Value | undefined> {
    if (this.#chunks === undefined) return undefined;
    // Nothing is put: whatever the limit of the service is, nothing may be evicted here.
    const store = new LmdbChunkStore({ folder: this.#chunks, limitBytes: Number.MAX_SAFE_INTEGER });
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  }
}

/** Counters of the chunk cache at `address` since its start. */
export async function readServiceStats(
  address: string,
  options: ConnectionOptions,
  environment: Environment,
): Promise<GetChunkStatsResponse> {
  const client = createClient(ChunkServiceClient, address, { security: openSecurity(options, environment) });
  try {
    const call = { metadata: new Metadata(), timeoutMs: STATS_TIMEOUT_MS };
    return await callUnary(client.getChunkStats.bind(client), {}, call);
  } finally {
    client.close();
  }
}

/** A row per tier, nearest first, one for copies, and what was read of scans. */
export function statsTable(counts: GetChunkStatsResponse): string {
  const { tiers, volumes } = counts;
  const head = ['tier', 'hits', 'misses', 'entries', 'bytes', 'limit', 'evicted', 'damaged', 'errors'];
  const rows = tiers.map((tier) => [
    tier.tier,
    ...[tier.hitCount, tier.missCount, tier.entryCount, tier.sizeBytes, tier.limitBytes].map(String),
    ...[tier.evictionCount, tier.corruptCount, tier.errorCount].map(String),
  ]);
  if (volumes !== undefined) {
    rows.push([
      'copies of scans',
      ...[volumes.hitCount, volumes.copiedCount, volumes.entryCount, volumes.sizeBytes].map(String),
      ...[volumes.limitBytes, volumes.evictionCount, volumes.corruptCount, volumes.errorCount].map(String),
    ]);
  }
  const alignments = ['left' as const, ...head.slice(1).map(() => 'right' as const)];
  return [
    formatTable(head, rows, alignments),
    '',
    `${counts.cutChunkCount} chunks cut, ${counts.failedChunkCount} failed`,
    `${counts.sourceReadCount} reads of scans, ${counts.sourceReadBytes} bytes`,
  ].join('\n');
}
