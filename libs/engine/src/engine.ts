/**
 * What the trainer needs from anything that can train the network, and nothing more. An engine owns one model and its
 * optimizer. Implementations differ in speed and device, not in results beyond float32 rounding.
 */

/** `count` samples. The engine reads the arrays until the call resolves and never changes them. */
export interface Batch {
  /** [count, depth, height, width], C order, in HU. All finite. */
  readonly voxelsHu: Float32Array;
  /** One per sample, the probability of being a nodule: 0 or 1, or between for mixed samples. */
  readonly labels: Float32Array | Uint8Array;
  readonly count: number;
}

/** Per sample, in batch order, from one forward pass. A diverged model gives NaN in both. */
export interface BatchResult {
  /** Cross entropy in nats, whatever loss is trained. */
  readonly losses: Float32Array;
  /** P(nodule), 0..1. */
  readonly probabilities: Float32Array;
}

/** A named float32 array, C order. */
export interface ModelTensor {
  readonly name: string;
  /** Empty for a scalar. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * All that training needs to go on bit-identically, in a fixed order: parameters under PyTorch's names and in its
 * layout (`[out, in, kd, kh, kw]`), the running statistics of the input normalisation, and per parameter the
 * optimizer's velocity as `optimizer.momentum.<parameter>` (with Adam `exp_avg` and `exp_avg_sq`, and `optimizer.step`).
 */
export type ModelState = readonly ModelTensor[];

/**
 * A model that learns. Calls take effect in the order in which they are made, and the next may be made before the one before
 * has resolved: an engine on a device then prepares a batch and sends it up while the device computes the one before.
 */
export interface Engine {
  /** As in `EngineSettings.engine`. */
  readonly name: string;
  /** What does the arithmetic, for people. */
  readonly device: string;
  /** Memory of the GPU that computes, where one does and its driver tells. */
  readonly deviceMemoryBytes?: number | undefined;
  /** Threads that compute, where the engine has a choice. */
  readonly threads?: number;
  /** Numbers that are parameters, frozen ones included; without buffers and velocities. */
  readonly parameterCount: number;

  /**
   * One optimizer step on the mean loss of the batch, with the learning rate of the settings or the one given. The result
   * is that of the forward pass before the step.
   * @throws InvalidBatchError, or EngineMemoryError for a batch too large, and nothing has changed.
   */
  trainBatch(batch: Batch, learningRate?: number): Promise<BatchResult>;

  /**
   * Forward only, with the running statistics: a sample's result does not depend on the others of its batch.
   * @throws InvalidBatchError
   */
  evaluateBatch(batch: Batch): Promise<BatchResult>;

  /** A copy: later steps do not change it. */
  exportState(): Promise<ModelState>;

  /**
   * A copy of the mean loss's gradients by the parameters that train, as of the last `trainBatch` and before clipping; none
   * before the first, nor after `importState`.
   */
  exportGradients(): Promise<readonly ModelTensor[]>;

  /**
   * What the network makes of one sample, `voxelsHu` `[depth, height, width]`, in evaluation: `input` (normalised, scaled
   * and shifted), `block1.conv1` (after its ReLU) and `block1` (after its pool) to `block4`, each
   * `[channels, depth, height, width]`, and `head_linear`, the logits [not nodule, nodule].
   * @throws InvalidBatchError
   */
  inspectSample(voxelsHu: Float32Array): Promise<readonly ModelTensor[]>;

  /**
   * Replaces model and optimizer by a copy of `state`; the order of its tensors is free.
   * @throws ModelStateMismatchError when a tensor is missing, unknown or of another shape, and nothing has changed.
   */
  importState(state: ModelState): Promise<void>;

  /** What it holds of the memory that it computes in: model, optimizer, and what is kept from batch to batch. */
  memoryBytes(): Promise<number>;

  /** Frees device memory. No call may follow. */
  dispose(): void;
}
