/** Augmentation settings that have no meaning. The request or flag must be changed; nothing was computed. */
export class AugmentationSettingsError extends Error {
  readonly tag = 'AugmentationSettingsError';
  readonly field: string;

  constructor(field: string, rule: string, value: unknown) {
    super(`Cannot use augmentation setting ${field}: it must be ${rule}, got ${String(value)}`);
    this.field = field;
  }
}

/** Voxels whose number does not match their shape. A bug of the caller or damaged data; nothing was computed. */
export class ChunkShapeError extends Error {
  readonly tag = 'ChunkShapeError';

  constructor(shape: string, expected: number, actual: number) {
    super(`Cannot transform a chunk of ${shape}: it must have ${expected} voxels, got ${actual}`);
  }
}
