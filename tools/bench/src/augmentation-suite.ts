import {
  Augmenter,
  CHAPTER_AUGMENTATION,
  NO_AUGMENTATION,
  sampleTransform,
  type AugmentationSettings,
} from '@lunastream/augmentation';
import { RandomPurpose, RandomStream } from '@lunastream/random';
import { voxelCount } from '@lunastream/volume';
import { medianMs } from './measure.ts';
import { runPeer } from './peer.ts';
import type { Suite } from './suite.ts';

const SHAPE = { depth: 32, height: 48, width: 48 };

/** A chunk of plausible HU; the time does not depend on the values. */
function makeChunk(): Int16Array {
  const random = new RandomStream({ runSeed: 1, epoch: 0, ordinal: 0, purpose: RandomPurpose.phantom });
  return Int16Array.from({ length: voxelCount(SHAPE) }, () => Math.round(random.uniformBetween(-1000, 400)));
}

/** How many samples does one core augment? */
export const augmentationSuite: Suite = {
  name: 'augmentation',
  question: 'samples that one core augments in a second: 32x48x48, all five transforms of the chapter',
  addOptions: (command) => command,
  async run({ peer, python }) {
    const source = { voxelsHu: makeChunk(), shape: SHAPE };
    const sample = { voxels: new Float32Array(voxelCount(SHAPE)), shape: SHAPE };
    // As a worker does it: one augmenter per thread, buffers used again, every sample with a draw of its own.
    const augmenter = new Augmenter();
    let ordinal = 0;
    const timeOf = (settings: AugmentationSettings) =>
      medianMs(() => {
        const key = { runSeed: 1, epoch: 1, ordinal: ordinal++ };
        augmenter.apply(source, sampleTransform(settings, key), sample);
      });
    const { noiseHu } = CHAPTER_AUGMENTATION;
    const allMs = await timeOf(CHAPTER_AUGMENTATION);
    const figures = {
      samples_per_second_per_core: 1000 / allMs,
      affine_ms: await timeOf({ ...CHAPTER_AUGMENTATION, noiseHu: 0 }),
      noise_ms: await timeOf({ ...NO_AUGMENTATION, noiseHu }),
      all_ms: allMs,
    };
    if (!peer) return figures;
    const torch = await runPeer('augment_torch.py', { python, args: [] });
    return {
      ...figures,
      peer: `PyTorch ${torch.version}`,
      peer_samples_per_second_per_core: Number(torch.samples_per_second),
      ratio_to_peer: figures.samples_per_second_per_core / Number(torch.samples_per_second),
    };
  },
};
