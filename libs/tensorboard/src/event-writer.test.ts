import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { EventWriter } from './event-writer.ts';
import { readEvents } from './read-events.ts';
import { EXPONENTIAL_EDGES, grayImage, histogram, linearEdges, prCurve, scalar } from './summary-values.ts';

const START_MS = 1_790_000_000_250;
const OPTIONS = { hostname: 'here', nowMs: () => START_MS };
const PIXELS = { width: 4, height: 2, pixels: Uint8Array.of(0, 40, 80, 120, 160, 200, 240, 255) };

/** Everything that a writer can write, in two steps. */
async function writeAll(folder: string): Promise<EventWriter> {
  const writer = await EventWriter.create(folder, OPTIONS);
  writer.add(1600, [
    scalar('loss/all', 0.25),
    scalar('pr/precision', Number.NaN),
    histogram('is_neg', [0.015, 0.5, 1], linearEdges(0, 1, 50)),
    histogram('empty', [], EXPONENTIAL_EDGES),
    prCurve('pr', { labels: [0, 1, 1], probabilities: [0.2, 0.6, 1] }),
  ]);
  await writer.flush();
  writer.add(3200, [
    scalar('loss/all', 0.125),
    histogram('weights/a', [-1, 0, 2e-3], EXPONENTIAL_EDGES),
    grayImage('activations/a', PIXELS),
  ]);
  await writer.flush();
  return writer;
}

describe('EventWriter', () => {
  it('writes what readEvents() reads', () =>
    withTemporaryFolder(async (folder) => {
      const { path } = await writeAll(folder);
      expect(await readdir(folder)).toEqual(['events.out.tfevents.1790000000.here.250']);
      const [version, first, second, ...rest] = readEvents(await readFile(path));
      expect(rest).toEqual([]);
      expect(version).toMatchObject({ step: 0, fileVersion: 'brain.Event:2', values: [] });
      expect(first).toMatchObject({
        step: 1600,
        wallTimeSeconds: START_MS / 1000,
        values: [
          { kind: 'scalar', tag: 'loss/all', value: 0.25 },
          { kind: 'scalar', tag: 'pr/precision', value: Number.NaN },
          {
            kind: 'histogram',
            tag: 'is_neg',
            histogram: { min: expect.closeTo(0.015) as number, max: 1, num: 3 },
          },
          { kind: 'tensor', tag: 'pr', tensor: { pluginName: 'pr_curves', shape: [6, 127] } },
        ],
      });
      expect(second!.values.map(({ kind, tag }) => [kind, tag])).toEqual([
        ['scalar', 'loss/all'],
        ['histogram', 'weights/a'],
        ['image', 'activations/a'],
      ]);
    }));

  it('keeps nothing back after flush(), and nothing from before it', () =>
    withTemporaryFolder(async (folder) => {
      const writer = await EventWriter.create(folder, OPTIONS);
      writer.add(1, [undefined]);
      await writer.flush();
      await writer.flush();
      expect(readEvents(await readFile(writer.path))).toHaveLength(1);
    }));

  it('tells TensorBoard what to forget when a run goes on', () =>
    withTemporaryFolder(async (folder) => {
      const writer = await EventWriter.create(folder, { ...OPTIONS, purgeStep: 1601 });
      const [, start] = readEvents(await readFile(writer.path));
      expect(start).toMatchObject({ step: 1601, sessionStatus: 1 });
    }));
});

const run = promisify(execFile);

/** What TensorBoard's own reader says of a folder, as JSON. */
const PROGRAM = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
reader = EventAccumulator(sys.argv[1], size_guidance={"tensors": 0, "histograms": 0, "images": 0, "scalars": 0})
reader.Reload()
tags = reader.Tags()
pr = reader.Tensors("pr")[0]
image = reader.Images("activations/a")[0]
print(json.dumps({
    "scalars": [[event.step, event.value] for event in reader.Scalars("loss/all")],
    "histogram": list(reader.Histograms("is_neg")[0].histogram_value.bucket),
    "weights": sum(reader.Histograms("weights/a")[0].histogram_value.bucket),
    "pr": [pr.step, list(reader.summary_metadata["pr"].plugin_data.content), len(pr.tensor_proto.float_val)],
    "plugin": reader.summary_metadata["pr"].plugin_data.plugin_name,
    "image": [image.width, image.height, image.encoded_image_string[:4].hex()],
    "tags": sorted(tags["scalars"]),
}))
`;

async function hasTensorboard(python: string): Promise<boolean> {
  return run(python, ['-c', 'import tensorboard']).then(
    () => true,
    () => false,
  );
}
const PYTHON = 'python3';

describe.skipIf(!(await hasTensorboard(PYTHON)))(
  'TensorBoard itself [needs a python3 with tensorboard: pip install tensorboard]',
  () => {
    it('reads every kind of value', { timeout: 120_000 }, () =>
      withTemporaryFolder(async (folder) => {
        const { path } = await writeAll(folder);
        const { stdout } = await run(PYTHON, ['-c', PROGRAM, dirname(path)]);
        const buckets = new Array<number>(51).fill(0);
        for (const bucket of [1, 26, 50]) buckets[bucket] = 1;
        expect(JSON.parse(stdout)).toEqual({
          scalars: [
            [1600, 0.25],
            [3200, 0.125],
          ],
          histogram: buckets,
          weights: 3,
          pr: [1600, [16, 127], 762],
          plugin: 'pr_curves',
          image: [4, 2, '89504e47'],
          tags: ['loss/all', 'pr/precision'],
        });
      }),
    );
  },
);
