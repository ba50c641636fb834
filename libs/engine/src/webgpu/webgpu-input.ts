import tf from '@tensorflow/tfjs';
import type { Tensor, TensorInfo } from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { Batch } from '../engine.ts';
import type { InputNormalisation, InputStatistics, RunningStatistics } from '../input-normalisation.ts';
import { InputBuffers } from './input-buffers.ts';
import { runKernel } from './kernels/gpu-kernel.ts';
import {
  batchStatisticsKernel,
  normaliseKernel,
  segmentStatisticsKernel,
  STATISTICS_LENGTH,
} from './kernels/input-kernels.ts';
import { copyKernel } from './kernels/layer-kernels.ts';

/** Samples of a batch that pass the network together, on the device. */
export interface InputGroup {
  /** In HU. */
  readonly voxels: Tensor;
  readonly labels: Tensor;
  readonly samples: number;
}

/**
 * The input of the network on the device: voxels go up as they come, and are measured and normalised there. Nothing here waits, so
 * a batch is sent and put on the queue while the device computes the one before.
 */
export class WebgpuInput {
  readonly #backend: WebGPUBackend;
  readonly #buffers: InputBuffers;
  readonly #normalisation: InputNormalisation;
  readonly #groupSamples: number;
  /** Running mean and variance, then those of the latest batch that was measured. Changed in place. */
  #statistics: Tensor;
  #batchesTracked: number;

  constructor(
    backend: WebGPUBackend,
    {
      normalisation,
      groupSamples,
      running,
    }: {
      readonly normalisation: InputNormalisation;
      readonly groupSamples: number;
      readonly running: RunningStatistics;
    },
  ) {
    this.#backend = backend;
    this.#buffers = new InputBuffers(backend);
    this.#normalisation = normalisation;
    this.#groupSamples = groupSamples;
    this.#statistics = toTensor(running);
    this.#batchesTracked = running.batchesTracked;
  }

  /** Sends a batch up, group by group. The groups are the caller's. */
  send({ voxelsHu, labels, count }: Batch): InputGroup[] {
    this.#buffers.beginBatch();
    const size = voxelsHu.length / count;
    const groups: InputGroup[] = [];
    for (let first = 0; first < count; first += this.#groupSamples) {
      const end = Math.min(first + this.#groupSamples, count);
      groups.push({
        voxels: this.#buffers.send(voxelsHu.subarray(first * size, end * size)),
        labels: this.#buffers.send(labels.subarray(first, end)),
        samples: end - first,
      });
    }
    return groups;
  }

  /** Measures the groups of a batch, and takes it into the running statistics. */
  measure(groups: readonly InputGroup[]): void {
    const batchSamples = groups.reduce((sum, { samples }) => sum + samples, 0);
    const size = groups[0]!.voxels.size / groups[0]!.samples;
    let parts: TensorInfo | undefined;
    let firstSample = 0;
    for (const { voxels, samples } of groups) {
      const kernel = segmentStatisticsKernel({ samples, size }, { firstSample, batchSamples });
      parts = runKernel(this.#backend, kernel, [voxels], { into: parts });
      firstSample += samples;
    }
    runKernel(this.#backend, batchStatisticsKernel({ samples: batchSamples, size }), [parts!], {
      into: this.#statistics,
    });
    this.#backend.disposeData(parts!.dataId);
    this.#batchesTracked++;
  }

  /** The group's voxels by the statistics of the latest batch that was measured, or by the running ones. */
  normalise({ voxels }: InputGroup, { isOfBatch }: { readonly isOfBatch: boolean }): Tensor {
    const kernel = normaliseKernel(voxels.size, { normalisation: this.#normalisation, isOfBatch });
    const normalised = runKernel(this.#backend, kernel, [voxels, this.#statistics]);
    return tf.engine().makeTensorFromTensorInfo(normalised);
  }

  /** As they are when it is called, whatever is put on the queue afterwards. */
  async readRunning(): Promise<RunningStatistics> {
    const batchesTracked = this.#batchesTracked;
    const info = runKernel(this.#backend, copyKernel(STATISTICS_LENGTH), [this.#statistics]);
    const copy = tf.engine().makeTensorFromTensorInfo(info);
    const [mean, variance] = await copy.data<'float32'>();
    copy.dispose();
    return { mean: mean!, variance: variance!, batchesTracked };
  }

  loadRunning(running: RunningStatistics): void {
    this.#statistics.dispose();
    this.#statistics = toTensor(running);
    this.#batchesTracked = running.batchesTracked;
  }

  /** Of the buffers that batches go to; tfjs knows the others. */
  memoryBytes(): number {
    return this.#buffers.memoryBytes();
  }

  dispose(): void {
    this.#statistics.dispose();
    this.#buffers.dispose();
  }
}

function toTensor({ mean, variance }: InputStatistics): Tensor {
  return tf.tensor1d([mean, variance, mean, variance]);
}
