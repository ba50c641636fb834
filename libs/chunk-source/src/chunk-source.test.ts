import { startFileServer, startS3Server, withTemporaryFolder } from '@lunastream/testing';
import { cropChunk, irc, type Volume } from '@lunastream/volume';
import { SCAN_FORMATS, writeScanAs } from '@lunastream/volume/testing';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openChunkSource, type ChunkSource, type ChunkSourceSettings } from './chunk-source.ts';
import { candidateRow, centerOf, makeScan } from './testing/index.ts';
import { warmChunks } from './warm-chunks.ts';

const SHAPE = { depth: 4, height: 6, width: 8 };
const EXTENT = { shape: SHAPE, grownShape: SHAPE };
const POSITIONS = [
  [6, 8, 10],
  [0, 0, 19],
] as const;
const uidOf = (index: number) => `1.2.${index}`;
const scanOf = (index: number): Volume => makeScan(index + 1);

/** A data set with another scan in each format, with two candidates each. */
async function layOutFormats(folder: string): Promise<void> {
  const rows: string[] = [];
  const list: string[] = ['seriesuid,path'];
  for (const [index, format] of SCAN_FORMATS.entries()) {
    await writeScanAs(format, join(folder, 'subset0', uidOf(index)), scanOf(index));
    rows.push(...POSITIONS.map((position) => candidateRow(uidOf(index), position)));
    const [suffix] = /^\.[a-z.]+[a-z]/.exec(format) ?? [];
    if (suffix !== undefined) list.push(`${uidOf(index)},subset0/${uidOf(index)}${suffix}`);
  }
  const header = 'seriesuid,coordX,coordY,coordZ,class';
  await writeFile(join(folder, 'candidates.csv'), [header, ...rows, ''].join('\n'));
  await writeFile(join(folder, 'annotations.csv'), 'seriesuid,coordX,coordY,coordZ,diameter_mm\n');
  await writeFile(join(folder, 'list.csv'), [...list, ''].join('\n'));
}

function openSource(work: string, dataset: string, more: Partial<ChunkSourceSettings> = {}): ChunkSource {
  const limits = { memoryLimitBytes: 2 ** 20, storeLimitBytes: 2 ** 24, volumeLimitBytes: 2 ** 20 };
  return openChunkSource(
    {
      datasets: [{ name: 'luna', folder: dataset }],
      storeFolder: join(work, 'chunks'),
      copyFolder: join(work, 'volumes'),
      ...limits,
      ...more,
    },
    {
      onTierError: (tier, error) => {
        throw new Error(`tier ${tier} failed`, { cause: error });
      },
    },
  );
}

/** Cuts every chunk of the data set; each must be what cropping the whole scan gives. */
async function expectRightChunks(source: ChunkSource, count: number): Promise<void> {
  const dataset = await source.getDataset('luna');
  expect(dataset.series.size).toBe(count);
  for (const uid of dataset.series.keys()) {
    for (const [index, row, column] of POSITIONS) {
      const center = irc(index, row, column);
      const expected = cropChunk(scanOf(Number(uid.split('.')[2])), center, SHAPE);
      const chunk = await source.getChunk(dataset, uid, centerOf(index, row, column), EXTENT);
      expect(chunk).toEqual(expected);
    }
  }
}

describe('openChunkSource()', () => {
  it('cuts the same chunks of every format from a folder; copies are made of what has no windows', () =>
    withTemporaryFolder(async (work) => {
      await layOutFormats(join(work, 'data'));
      const source = openSource(work, join(work, 'data'));
      await expectRightChunks(source, SCAN_FORMATS.length);
      expect(source.stats().volumes).toMatchObject({ copiedCount: 5, entryCount: 5, errorCount: 0 });
      await source.close();
    }));

  it('cuts them from a bucket, by range requests', () =>
    withTemporaryFolder(async (work) => {
      await layOutFormats(join(work, 'data'));
      const server = await startS3Server(work, 'scans');
      const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
      const source = openSource(work, 's3://scans/data', { s3: { endpoint: server.address, credentials } });
      await expectRightChunks(source, SCAN_FORMATS.length);
      const { sourceReadBytes, sourceReadCount } = source.stats();
      expect(sourceReadCount).toBeGreaterThan(0);
      expect(sourceReadBytes).toBeGreaterThan(0);
      await source.close();
      await server.close();
    }));

  it('cuts them from a web server, by range requests; a DICOM series cannot lie there', () =>
    withTemporaryFolder(async (work) => {
      const data = join(work, 'data');
      await layOutFormats(data);
      await rename(join(data, 'list.csv'), join(data, 'series.csv'));
      const server = await startFileServer(data);
      const source = openSource(work, server.address);
      await expectRightChunks(source, SCAN_FORMATS.length - 1);
      await source.close();
      await server.close();
    }));

  it('reads a cold chunk once for 64 who ask for it at the same time', () =>
    withTemporaryFolder(async (work) => {
      await layOutFormats(join(work, 'data'));
      const source = openSource(work, join(work, 'data'));
      const dataset = await source.getDataset('luna');
      const uid = uidOf(SCAN_FORMATS.indexOf('.nii.gz'));
      const ask = () => source.getChunk(dataset, uid, centerOf(6, 8, 10), EXTENT);
      await Promise.all(Array.from({ length: 64 }, ask));
      expect(source.stats()).toMatchObject({ cutChunkCount: 1, volumes: { copiedCount: 1 } });
      await source.close();
    }));
});

describe('warmChunks()', () => {
  it('keeps every chunk for the next process, goes on where it was stopped, and counts what fails', () =>
    withTemporaryFolder(async (work) => {
      await layOutFormats(join(work, 'data'));
      const total = SCAN_FORMATS.length * POSITIONS.length;
      const first = openSource(work, join(work, 'data'));
      const stop = new AbortController();
      const begun = await warmChunks(first, await first.getDataset('luna'), {
        extent: EXTENT,
        parallel: 1,
        signal: stop.signal,
        onProgress: (done) => done === 5 && stop.abort(),
      });
      expect(begun).toEqual({ candidates: total, kept: 0, cut: 5, failed: 0, problems: [] });
      await first.close();
      const second = openSource(work, join(work, 'data'));
      const dataset = await second.getDataset('luna');
      const signal = new AbortController().signal;
      const rest = await warmChunks(second, dataset, { extent: EXTENT, parallel: 4, signal });
      expect(rest).toMatchObject({ kept: 5, cut: total - 5, failed: 0 });
      const again = await warmChunks(second, dataset, { extent: EXTENT, parallel: 4, signal });
      expect(again).toMatchObject({ kept: total, cut: 0 });
      await second.close();
    }));
});
