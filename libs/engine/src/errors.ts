/** Settings of an engine that no engine could run with: the caller's input is wrong. All faults are reported at once. */
export class InvalidEngineSettingsError extends Error {
  override readonly name = 'InvalidEngineSettingsError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`Cannot create an engine: ${faults.join('; ')}`);
    this.faults = faults;
  }
}

/** The named engine or backend exists but does not run on this machine. Choose another, or `auto`. */
export class EngineUnavailableError extends Error {
  override readonly name = 'EngineUnavailableError';
  readonly engine: string;
  /** What is missing, and what to do. */
  readonly rule: string;

  constructor(engine: string, rule: string, options?: ErrorOptions) {
    super(`Cannot start engine ${engine}: ${rule}`, options);
    this.engine = engine;
    this.rule = rule;
  }
}

/** The machine or 32-bit addresses leave no room for what was asked: take a smaller batch, chunk or model. */
export class EngineMemoryError extends Error {
  override readonly name = 'EngineMemoryError';
  readonly bytes: number;

  constructor(bytes: number, usedBytes: number, options?: ErrorOptions) {
    const inMebibytes = (size: number) => (size / 2 ** 20).toFixed(1);
    super(
      `Cannot allocate ${inMebibytes(bytes)} MiB for the model: the memory of the simd engine must hold it beside ` +
        `${inMebibytes(usedBytes)} MiB in use, got none (take smaller batches or chunks)`,
      options,
    );
    this.bytes = bytes;
  }
}

/** The GPU leaves no room for what was asked: take smaller batches or chunks. */
export class GpuMemoryError extends Error {
  override readonly name = 'GpuMemoryError';

  constructor(reason: string) {
    super(`Cannot allocate GPU memory for the model: it must fit the device, got ${reason}`);
  }
}

/** A batch whose arrays do not fit the engine's chunk shape, or whose voxels or labels are not numbers it can use. */
export class InvalidBatchError extends Error {
  override readonly name = 'InvalidBatchError';

  constructor(rule: string, got: string | number) {
    super(`Cannot run a batch: ${rule}, got ${got}`);
  }
}

/** A model state with tensors missing, unknown or of another shape: it belongs to another network or chunk shape. */
export class ModelStateMismatchError extends Error {
  override readonly name = 'ModelStateMismatchError';
  readonly tensor: string;

  constructor(tensor: string, rule: string, got: string | number) {
    super(`Cannot load model tensor ${tensor}: ${rule}, got ${got}`);
    this.tensor = tensor;
  }
}

/** Bytes that are not a whole, unaltered checkpoint. Nothing has been loaded; use an older checkpoint. */
export class CorruptCheckpointError extends Error {
  override readonly name = 'CorruptCheckpointError';

  constructor(rule: string, got: string | number, options?: ErrorOptions) {
    super(`Cannot read checkpoint: ${rule}, got ${got}`, options);
  }
}
