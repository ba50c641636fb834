import { readVolume, VolumeError, type Volume } from '../src/index.ts';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bytesOf, EDGE, faultOf, PIXELS, slice, STORED, toHu, withSeries } from './dicom/synthetic-series.ts';
import { EXPLICIT, writeDicom } from '../src/testing/write-dicom.ts';

const FRAMES = JSON.parse(readFileSync(new URL('dicom/frames.json', import.meta.url), 'utf8')) as Record<
  string,
  { readonly transferSyntax: string; readonly frame: string }
>;

describe('transfer syntaxes', () => {
  const bigEndian = Buffer.from(bytesOf(STORED.slice())).swap16();
  it.each([
    ['implicit little endian', '1.2.840.10008.1.2', bytesOf(STORED)],
    ['explicit little endian', EXPLICIT, bytesOf(STORED)],
    ['explicit big endian', '1.2.840.10008.1.2.2', bigEndian],
    ['deflated', '1.2.840.10008.1.2.1.99', bytesOf(STORED)],
  ])('%s', async (_, transferSyntax, pixels) => {
    const files = [0, 1].map((z) => slice(z, {}, { transferSyntax, pixels }));
    const { voxelsHu } = await withSeries(files, readVolume);
    expect([...voxelsHu]).toEqual([...toHu(STORED), ...toHu(STORED)]);
  });

  const lossless = [
    'rle',
    'jpeg-lossless',
    'jpeg-lossless-first-order',
    'jpeg-lossless-predictor-7',
    'jpeg-ls',
    'jpeg-2000',
  ];
  it.each(lossless)('%s, in one fragment and in three', async (name) => {
    const { transferSyntax, frame } = FRAMES[name]!;
    const bytes = Buffer.from(frame, 'base64');
    const third = 2 * Math.floor(bytes.length / 6);
    const parts = [bytes.subarray(0, third), bytes.subarray(third, 2 * third), bytes.subarray(2 * third)];
    const files = [[bytes], parts].map((fragments, z) =>
      slice(z, {}, { transferSyntax, pixels: { fragments } }),
    );
    const { voxelsHu } = await withSeries(files, readVolume);
    expect([...voxelsHu]).toEqual([...toHu(STORED), ...toHu(STORED)]);
  });

  it('ht-jpeg-2000', async () => {
    const { default: load } = await import('@cornerstonejs/codec-openjph/wasmjs');
    const module = await load({ print: () => undefined, printErr: () => undefined });
    const encoder = new module.HTJ2KEncoder();
    const frame = { width: EDGE, height: EDGE, bitsPerSample: 16, componentCount: 1 };
    encoder.getDecodedBuffer({ ...frame, isSigned: true, isUsingColorTransform: false }).set(bytesOf(STORED));
    encoder.encode();
    const fragments = [encoder.getEncodedBuffer().slice()];
    const files = [0, 1].map((z) =>
      slice(z, {}, { transferSyntax: '1.2.840.10008.1.2.4.201', pixels: { fragments } }),
    );
    const { voxelsHu } = await withSeries(files, readVolume);
    expect([...voxelsHu]).toEqual([...toHu(STORED), ...toHu(STORED)]);
  });

  it('jpeg-ls-near, within its error', async () => {
    const { transferSyntax, frame } = FRAMES['jpeg-ls-near']!;
    const pixels = { fragments: [Buffer.from(frame, 'base64')] };
    const change = { '00280101': 12, '00280102': 11, '00280103': 0, '00281052': '-2000', '00281053': '1' };
    const files = [0, 1].map((z) => slice(z, change, { transferSyntax, pixels }));
    const { voxelsHu } = await withSeries(files, readVolume);
    STORED.forEach((value, pixel) => expect(Math.abs(voxelsHu[pixel]! - value)).toBeLessThanOrEqual(2));
  });

  it('jpeg-baseline, within a grey value or two', async () => {
    const { transferSyntax, frame } = FRAMES['jpeg-baseline']!;
    const pixels = { fragments: [Buffer.from(frame, 'base64')] };
    const change = {
      '00280100': 8,
      '00280101': 8,
      '00280102': 7,
      '00280103': 0,
      '00281052': '0',
      '00281053': '1',
    };
    const files = [0, 1].map((z) => slice(z, change, { transferSyntax, pixels }));
    const { voxelsHu } = await withSeries(files, readVolume);
    expect(
      [...voxelsHu.subarray(0, PIXELS)].every((hu, pixel) => Math.abs(hu - Math.floor(pixel / 2) - 40) <= 2),
    ).toBe(true);
  });

  it('refuses lossy JPEG of 12 bits, for which no codec is at hand', async () => {
    const { transferSyntax, frame } = FRAMES['jpeg-extended-12']!;
    const pixels = { fragments: [Buffer.from(frame, 'base64')] };
    const change = { '00280101': 12, '00280102': 11, '00280103': 0 };
    const fault = await faultOf([0, 1].map((z) => slice(z, change, { transferSyntax, pixels })));
    expect(fault.message).toContain(
      'PixelData (7FE0,0010) must be whole: lossy JPEG is read with 8 bits only, got 12',
    );
  });

  const compressed = Object.entries(FRAMES).filter(([name]) => lossless.includes(name));
  it.each(compressed)(
    'refuses a damaged frame of %s, and never gives the voxels of another',
    async (_, stored) => {
      const whole = Buffer.from(stored.frame, 'base64');
      const { transferSyntax } = stored;
      const good = slice(0, {}, { transferSyntax, pixels: { fragments: [whole] } });
      const cut = whole.subarray(0, 2 * Math.floor(whole.length / 4));
      for (const frame of [
        cut,
        Buffer.concat([cut, Buffer.from([0xff, 0xd9])]),
        Buffer.alloc(80),
        Buffer.alloc(0),
      ]) {
        const bad = slice(1, {}, { transferSyntax, pixels: { fragments: [frame] } });
        const fault = await faultOf([good, bad]);
        expect(fault.message).toMatch(/1\.dcm: PixelData \(7FE0,0010\) must (be whole|have one frame)/);
      }
    },
  );

  it('refuses a frame of another size than Rows x Columns, before a codec makes room for it', async () => {
    const { transferSyntax, frame } = FRAMES['jpeg-2000']!;
    const bytes = Buffer.from(frame, 'base64');
    bytes.writeUInt32BE(4_000_000_000, 8);
    const pixels = { fragments: [bytes] };
    const fault = await faultOf([0, 1].map((z) => slice(z, {}, { transferSyntax, pixels })));
    expect(fault.message).toContain('must have 16 rows x 16 columns, got 16 x 4000000000');
  });
});

describe('frames of any bytes', () => {
  it.each(Object.entries(FRAMES))('%s: voxels of the right number or a VolumeError', async (_, stored) => {
    const good = Buffer.from(stored.frame, 'base64');
    const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await withSeries([slice(0)], async (folder) => {
      await fc.assert(
        fc.asyncProperty(changes, async (edits) => {
          const frame = Buffer.from(good);
          for (const [at, value] of edits) frame[at] = value;
          const { transferSyntax } = stored;
          const file = slice(1, {}, { transferSyntax, pixels: { fragments: [frame] } });
          await writeFile(join(folder, '1.dcm'), writeDicom(file));
          const found = await readVolume(folder).catch((error: unknown) => error);
          if (found instanceof VolumeError) expect(found.message).toContain('PixelData (7FE0,0010)');
          else expect((found as Volume).voxelsHu.length).toBe(2 * PIXELS);
        }),
        { numRuns: 60 },
      );
    });
  });
});
