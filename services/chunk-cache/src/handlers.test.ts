import { Metadata } from '@grpc/grpc-js';
import { openChunkSource } from '@lunastream/chunk-source';
import { candidateRow, centerOf, layOutScans, makeScan } from '@lunastream/chunk-source/testing';
import {
  BorderRule,
  ChunkErrorCode,
  ChunkServiceClient,
  DatasetServiceClient,
  type ChunkReference,
  type StreamChunksRequest,
  type StreamChunksResponse,
} from '@lunastream/contracts';
import { loadDataset } from '@lunastream/dataset';
import { callUnary, readStream } from '@lunastream/service-kit';
import { collect, failureOf, startInProcessServer } from '@lunastream/service-kit/testing';
import { withTemporaryFolder } from '@lunastream/testing';
import { cropChunk, irc } from '@lunastream/volume';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createHandlers } from './handlers.ts';

const SHAPE = { depth: 4, height: 6, width: 8 };
const OPTIONS = { metadata: new Metadata(), timeoutMs: 10_000 };

/** The service over real sockets, with the scans and candidates of `candidateRows`. */
async function withChunkCache(
  candidateRows: readonly string[],
  use: (service: Awaited<ReturnType<typeof startChunkCache>>) => Promise<void>,
): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const service = await startChunkCache(await layOutScans(folder, candidateRows));
    try {
      await use(service);
    } finally {
      await service.stop();
    }
  });
}

async function startChunkCache(folder: string) {
  const source = openChunkSource(
    {
      datasets: [{ name: 'luna', folder }],
      storeFolder: join(folder, 'chunks'),
      memoryLimitBytes: 2 ** 20,
      storeLimitBytes: 2 ** 20,
      volumeLimitBytes: 2 ** 20,
    },
    {
      onTierError: (tier, error) => {
        throw new Error(`tier ${tier} failed`, { cause: error });
      },
    },
  );
  const server = await startInProcessServer((context) =>
    createHandlers(source, context, { aheadLimitBytes: 2 ** 20 }),
  );
  const chunks = server.connect(ChunkServiceClient);
  const datasets = server.connect(DatasetServiceClient);
  return {
    folder,
    cutCount: () => source.stats().cutChunkCount,
    log: server.log,
    openStream: (request: Partial<StreamChunksRequest>) =>
      chunks.streamChunks({
        dataset: 'luna',
        datasetFingerprint: '',
        shape: SHAPE,
        grownShape: undefined,
        border: BorderRule.UNSPECIFIED,
        references: [],
        ...request,
      }),
    stats: () => callUnary(chunks.getChunkStats.bind(chunks), {}, OPTIONS),
    getDataset: (dataset = 'luna') => callUnary(datasets.getDataset.bind(datasets), { dataset }, OPTIONS),
    listCandidates: (dataset = 'luna') => datasets.listCandidates({ dataset }),
    stopServing: () => server.stop(),
    stop: async () => {
      await server.stop();
      await source.close();
    },
  };
}

function reference(seriesUid: string, position: readonly [number, number, number]): ChunkReference {
  const [x, y, z] = centerOf(...position);
  return { seriesUid, centerXyzMm: { x, y, z } };
}

/** Voxels of an answer, or the code of its error. */
function outcome({ result }: StreamChunksResponse): number[] | ChunkErrorCode {
  if (result?.$case === 'error') return result.value.code;
  const bytes = Uint8Array.from(result?.value.voxelsHu ?? []);
  return [...new Int16Array(bytes.buffer)];
}

const expectedVoxels = (seed: number, position: readonly [number, number, number], shape = SHAPE) => [
  ...cropChunk(makeScan(seed), irc(...position), shape),
];

describe('ChunkService.StreamChunks', () => {
  it('answers in request order, each fault in its place', () =>
    withChunkCache([], async ({ openStream }) => {
      const responses = await collect(
        openStream({
          references: [
            reference('b', [6, 8, 10]),
            reference('unknown', [6, 8, 10]),
            reference('a', [6, 8, 10]),
            reference('a', [12, 8, 10]),
            { seriesUid: 'a', centerXyzMm: undefined },
            { seriesUid: 'a', centerXyzMm: { x: Number.NaN, y: 0, z: 0 } },
            { seriesUid: 'a', centerXyzMm: { x: 0, y: -Infinity, z: 0 } },
            reference('a', [0, 0, 19]),
          ],
        }),
      );
      expect(responses.map(({ referenceIndex }) => referenceIndex)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect(responses.map(outcome)).toEqual([
        expectedVoxels(2, [6, 8, 10]),
        ChunkErrorCode.NOT_FOUND,
        expectedVoxels(1, [6, 8, 10]),
        ChunkErrorCode.OUT_OF_RANGE,
        ChunkErrorCode.OUT_OF_RANGE,
        ChunkErrorCode.OUT_OF_RANGE,
        ChunkErrorCode.OUT_OF_RANGE,
        expectedVoxels(1, [0, 0, 19]),
      ]);
      expect(responses[2]?.result).toMatchObject({ $case: 'chunk', value: { shape: SHAPE } });
      expect(responses[4]?.result).toMatchObject({
        value: {
          message: 'Cannot cut a chunk of scan a: center_xyz_mm must be three finite numbers, got none',
        },
      });
    }));

  it('moves chunks inside the scan or fills them up with air, as asked, and keeps the two apart', () =>
    withChunkCache([], async ({ openStream }) => {
      const corner = [0, 15, 0] as const;
      const cut = async (border: BorderRule) =>
        (await collect(openStream({ references: [reference('a', corner)], border }))).map(outcome);
      const padded = [...cropChunk(makeScan(1), irc(...corner), SHAPE, 'pad-air')];
      expect(padded).not.toEqual(expectedVoxels(1, corner));
      expect(await cut(BorderRule.PAD_AIR)).toEqual([padded]);
      for (const border of [BorderRule.SHIFT, BorderRule.UNSPECIFIED]) {
        expect(await cut(border)).toEqual([expectedVoxels(1, corner)]);
      }
      expect(await cut(BorderRule.PAD_AIR)).toEqual([padded]);
      expect(await failureOf(cut(7 as BorderRule))).toEqual({
        status: 'INVALID_ARGUMENT',
        details: 'Cannot stream chunks: border must be a rule that this version knows, got 7',
      });
    }));

  it('goes on after a damaged scan', () =>
    withChunkCache([], async ({ openStream, folder, getDataset, log }) => {
      await getDataset();
      await truncate(join(folder, 'subset0/a.raw'), 10);
      const references = [reference('a', [6, 8, 10]), reference('b', [6, 8, 10])];
      const responses = await collect(openStream({ references }));
      expect(responses.map(outcome)).toEqual([ChunkErrorCode.DATA_LOSS, expectedVoxels(2, [6, 8, 10])]);
      expect(log.filter(({ level }) => level === 'error')).toEqual([]);
    }));

  it('keeps the order over many more chunks than it cuts ahead, from both scans', () =>
    withChunkCache([], async ({ openStream }) => {
      const places = Array.from({ length: 100 }, (_, number) => ({
        seed: (number % 2) + 1,
        position: [number % 12, (number * 5) % 16, (number * 7) % 20] as const,
      }));
      const references = places.map(({ seed, position }) => reference(seed === 1 ? 'a' : 'b', position));
      const responses = await collect(openStream({ references }));
      expect(responses.map(outcome)).toEqual(
        places.map(({ seed, position }) => expectedVoxels(seed, position)),
      );
    }));

  it('takes 4,096 references and no more', () =>
    withChunkCache([], async ({ openStream }) => {
      const shape = { depth: 1, height: 1, width: 1 };
      const references = Array.from({ length: 4096 }, () => reference('a', [6, 8, 10]));
      expect(await collect(openStream({ shape, references }))).toHaveLength(4096);
      const tooMany = [...references, reference('a', [6, 8, 10])];
      expect(await failureOf(collect(openStream({ shape, references: tooMany })))).toEqual({
        status: 'INVALID_ARGUMENT',
        details: 'Cannot stream chunks: references must be 1..4096, got 4097',
      });
    }));

  it.each([
    ['no shape', undefined, /each axis of shape must be in 1\.\.512, got none/],
    ['an axis of 0', { ...SHAPE, width: 0 }, /got 4x6x0/],
    ['an axis over 512', { ...SHAPE, depth: 513 }, /got 513x6x8/],
    ['more bytes than a message takes', { depth: 512, height: 512, width: 512 }, /got 268435456 of shape/],
  ])('refuses %s', (_, shape, details) =>
    withChunkCache([], async ({ openStream, cutCount }) => {
      const failure = await failureOf(
        collect(openStream({ shape, references: [reference('a', [0, 0, 0])] })),
      );
      expect(failure.status).toBe('INVALID_ARGUMENT');
      expect(failure.details).toMatch(details);
      expect(cutCount()).toBe(0);
    }),
  );

  it('carries the largest chunk that it accepts', () =>
    withChunkCache([], async ({ openStream }) => {
      // One row fewer than 2^23 voxels, which with its message around it is just too large.
      const shape = { depth: 32, height: 512, width: 511 };
      const responses = await collect(openStream({ shape, references: [reference('a', [6, 8, 10])] }));
      expect(responses.map(outcome).map((voxels) => (voxels as number[]).length)).toEqual([32 * 512 * 511]);
    }));

  it('refuses a request without references', () =>
    withChunkCache([], async ({ openStream }) => {
      expect(await failureOf(collect(openStream({})))).toEqual({
        status: 'INVALID_ARGUMENT',
        details: 'Cannot stream chunks: references must be 1..4096, got 0',
      });
    }));

  it('refuses another fingerprint, and takes the right one or none', () =>
    withChunkCache([], async ({ openStream, getDataset }) => {
      const { fingerprint } = await getDataset();
      const references = [reference('a', [6, 8, 10])];
      const stale = openStream({ references, datasetFingerprint: 'f00d' });
      expect(await failureOf(collect(stale))).toEqual({
        status: 'FAILED_PRECONDITION',
        details: `Cannot use data set luna: it has fingerprint ${fingerprint}, got f00d`,
      });
      for (const datasetFingerprint of [fingerprint, '']) {
        expect(await collect(openStream({ references, datasetFingerprint }))).toHaveLength(1);
      }
    }));

  it('refuses a data set that it does not have', () =>
    withChunkCache([], async ({ openStream }) => {
      const unknown = openStream({ dataset: 'lidc', references: [reference('a', [0, 0, 0])] });
      expect((await failureOf(collect(unknown))).status).toBe('NOT_FOUND');
    }));

  it('stops cutting when the client cancels', () =>
    withChunkCache([], async ({ openStream, cutCount, stopServing }) => {
      const references = Array.from({ length: 4000 }, (_, number) => {
        const { seriesUid, centerXyzMm } = reference('a', [6, 8, 10]);
        return { seriesUid, centerXyzMm: { ...centerXyzMm!, x: centerXyzMm!.x + number * 1e-6 } };
      });
      const large = { depth: 32, height: 48, width: 48 };
      for await (const { referenceIndex } of readStream(openStream({ shape: large, references }))) {
        expect(referenceIndex).toBe(0);
        break;
      }
      await stopServing();
      expect(cutCount()).toBeLessThan(400);
    }));

  it('cuts no more than it may hold for clients that do not read, and serves the others', () =>
    withChunkCache([], async ({ openStream, cutCount }) => {
      const shape = { depth: 96, height: 128, width: 128 };
      const references = Array.from({ length: 60 }, (_, number) => {
        const { seriesUid, centerXyzMm } = reference('a', [6, 8, 10]);
        return { seriesUid, centerXyzMm: { ...centerXyzMm!, x: centerXyzMm!.x + number * 1e-6 } };
      });
      const stalled = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const call = openStream({ shape, references });
          call.on('error', () => undefined);
          // A grpc-js client that never begins to read takes everything into its own memory; this one stops.
          await new Promise((resolve) => call.once('data', resolve));
          return call.pause();
        }),
      );
      const ofOthers = references.slice(0, 30).map(({ seriesUid, centerXyzMm }) => ({
        seriesUid,
        centerXyzMm: { ...centerXyzMm, x: centerXyzMm.x + 1e-3 },
      }));
      expect(await collect(openStream({ shape, references: ofOthers }))).toHaveLength(30);
      // Chunks of 3 MiB: one or two of each call are held, the others lie in the client's window and grpc-js's queues.
      expect(cutCount() - ofOthers.length).toBeLessThan(4 * 6);
      for (const call of stalled) call.cancel();
    }));
});

describe('ChunkService.GetChunkStats', () => {
  it('counts cuts, hits, what is held and what failed', () =>
    withChunkCache([], async ({ openStream, stats }) => {
      const empty = {
        hitCount: 0,
        missCount: 0,
        entryCount: 0,
        sizeBytes: 0,
        evictionCount: 0,
        corruptCount: 0,
        errorCount: 0,
      };
      expect(await stats()).toMatchObject({
        tiers: [
          { tier: 'memory', limitBytes: 2 ** 20, ...empty },
          { tier: 'lmdb', limitBytes: 2 ** 20, ...empty },
        ],
        cutChunkCount: 0,
        failedChunkCount: 0,
        volumes: undefined,
        sourceReadCount: 0,
        sourceReadBytes: 0,
      });
      const references = [reference('a', [6, 8, 10]), reference('b', [6, 8, 10]), reference('x', [0, 0, 0])];
      await collect(openStream({ references }));
      await collect(openStream({ references }));
      const bytesPerChunk = 2 * 4 * 6 * 8;
      expect(await stats()).toMatchObject({
        tiers: [
          { tier: 'memory', hitCount: 2, missCount: 2, entryCount: 2, sizeBytes: 2 * bytesPerChunk },
          { tier: 'lmdb', hitCount: 0, missCount: 2 },
        ],
        cutChunkCount: 2,
        failedChunkCount: 2,
      });
    }));
});

describe('DatasetService.GetDataset', () => {
  it('sums up what there is and why candidates were left out, bad scans first', () => {
    const outside = Array.from({ length: 25 }, () => candidateRow('b', [-1, 0, 0]));
    const rows = [
      candidateRow('a', [6, 8, 10], true),
      candidateRow('b', [6, 8, 10], true),
      candidateRow('b', [1, 1, 1]),
      candidateRow('gone', [1, 1, 1]),
      ...outside,
    ];
    return withChunkCache(rows, async ({ folder, getDataset }) => {
      await truncate(join(folder, 'subset0/a.raw'), 10);
      const { fingerprint } = await loadDataset(folder);
      const { problems, ...answer } = await getDataset();
      expect(answer).toEqual({
        dataset: 'luna',
        fingerprint,
        seriesCount: 1,
        positiveCount: 1,
        negativeCount: 1,
        missingScanCount: 1,
        outsideScanCount: 25,
        badScanCount: 1,
      });
      expect(problems).toHaveLength(20);
      expect(problems[0]).toMatch(/^Series a cannot be used: .*a\.raw.*truncated/);
      expect(problems[1]).toBe(`${folder}/candidates.csv:6: the centre lies outside scan b`);
    });
  });

  it('refuses an unknown data set, and a folder that it cannot read, by name', () =>
    withChunkCache([], async ({ folder, getDataset, listCandidates }) => {
      expect(await failureOf(getDataset('lidc'))).toEqual({
        status: 'NOT_FOUND',
        details: "Cannot find data set 'lidc': there are luna",
      });
      await rm(join(folder, 'annotations.csv'));
      for (const call of [() => getDataset(), () => collect(listCandidates())]) {
        const failure = await failureOf(call());
        expect(failure.status).toBe('FAILED_PRECONDITION');
        expect(failure.details).toContain(join(folder, 'annotations.csv'));
      }
    }));
});

describe('DatasetService.ListCandidates', () => {
  it("streams the candidates in the data set's order, 1,000 a page", () => {
    const rows = Array.from({ length: 2345 }, (_, number) =>
      candidateRow(
        number % 3 === 0 ? 'a' : 'b',
        [number % 12, (number >> 2) % 16, (number >> 4) % 20],
        number % 50 === 0,
      ),
    );
    return withChunkCache(rows, async ({ folder, listCandidates }) => {
      const pages = await collect(listCandidates());
      expect(pages.map(({ candidates }) => candidates.length)).toEqual([1000, 1000, 345]);
      const expected = (await loadDataset(folder)).candidates.map(
        ({ centerXyzMm: [x, y, z], ...candidate }) => ({
          ...candidate,
          centerXyzMm: { x, y, z },
        }),
      );
      expect(pages.flatMap(({ candidates }) => candidates)).toEqual(expected);
      expect(expected[0]).toMatchObject({ isNodule: true, seriesUid: 'b', patientId: 'b', diameterMm: 0 });
    });
  });

  it('sends no page for a data set without candidates', () =>
    withChunkCache([], async ({ listCandidates }) => {
      expect(await collect(listCandidates())).toEqual([]);
    }));
});
