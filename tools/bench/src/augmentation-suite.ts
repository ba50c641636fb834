import { applyTransform, CHAPTER_AUGMENTATION, sampleTransform } from '@lunastream/augmentation';
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
    const chunk = makeChunk();
    let ordinal = 0;
    const timeOf = (noiseHu: number, affine: boolean) => {
      const settings = affine
        ? { ...CHAPTER_AUGMENTATION, noiseHu }
        : { flip: false, offset: 0, scale: 0, rotate: false, noiseHu };
      return medianMs(() => {
        const key = { runSeed: 1, epoch: 1, ordinal: ordinal++ };
        applyTransform(chunk, SHAPE, sampleTransform(settings, key));
      });
    };
    const { noiseHu } = CHAPTER_AUGMENTATION;
    const allMs = await timeOf(noiseHu, true);
    const figures = {
      samples_per_second_per_core: 1000 / allMs,
      affine_ms: await timeOf(0, true),
      noise_ms: await timeOf(noiseHu, false),
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
