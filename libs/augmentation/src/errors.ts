/** Augmentation settings that have no meaning. The request or flag must be changed; nothing was computed. */
export class AugmentationSettingsError extends Error {
  readonly tag = 'AugmentationSettingsError';
  readonly field: string;

  constructor(field: string, rule: string, value: unknown) {
    super(`Cannot use augmentation setting ${field}: it must be ${rule}, got ${String(value)}`);
    this.field = field;
  }
}

/** Parameters that no draw gives: a damaged record, or one made by hand. Nothing was computed. */
export class SampleTransformError extends Error {
  readonly tag = 'SampleTransformError';
  readonly field: string;

  constructor(field: string, rule: string, value: unknown) {
    super(`Cannot apply a transform: ${field} must be ${rule}, got ${String(value)}`);
    this.field = field;
  }
}

/** A chunk that does not match its shape or the sample to make. A bug of the caller or damaged data; nothing was computed. */
export class ChunkShapeError extends Error {
  readonly tag = 'ChunkShapeError';

  constructor(shape: string, rule: string, value: unknown) {
    super(`Cannot transform a chunk of ${shape}: it must ${rule}, got ${String(value)}`);
  }
}

/** A voxel that is no Hounsfield value. Damaged data; nothing was computed. */
export class ChunkVoxelError extends Error {
  readonly tag = 'ChunkVoxelError';

  constructor(limitHu: number, largestHu: number) {
    super(
      `Cannot transform a chunk: its voxels must be finite and within ±${limitHu} HU, got ${largestHu} in size`,
    );
  }
}

/** A chunk that needs more memory than an Augmenter may take. */
export class ChunkTooLargeError extends Error {
  readonly tag = 'ChunkTooLargeError';

  constructor(maxMemoryBytes: number, neededBytes: number) {
    super(
      `Cannot transform a chunk: it must need at most ${maxMemoryBytes} bytes of memory, got ${neededBytes}`,
    );
  }
}

/** Labels or samples that cannot be mixed. A bug of the caller. */
export class MixupError extends Error {
  readonly tag = 'MixupError';

  constructor(rule: string, value: unknown) {
    super(`Cannot mix two samples: ${rule}, got ${String(value)}`);
  }
}
