/** A setting of a tier that has no meaning. The configuration must be changed. */
export class ChunkStoreSettingsError extends Error {
  readonly tag = 'ChunkStoreSettingsError';
  readonly tier: string;

  constructor(tier: string, rule: string, value: unknown) {
    super(`Cannot open the ${tier} tier: ${rule}, got ${String(value)}`);
    this.tier = tier;
  }
}

/** The folder of a tier cannot be opened: no permission, no space, or not a chunk store. */
export class ChunkStoreOpenError extends Error {
  readonly tag = 'ChunkStoreOpenError';
  readonly folder: string;

  constructor(folder: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot open the lmdb tier: ${folder} must be a folder this process may write to (${reason})`, {
      cause,
    });
    this.folder = folder;
  }
}

/** The folder of a tier takes no writes: the disk is full, or fails. What it holds can still be read. */
export class ChunkStoreWriteError extends Error {
  readonly tag = 'ChunkStoreWriteError';
  readonly folder: string;

  constructor(folder: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot write to the lmdb tier: the disk of ${folder} must work and have room, got ${reason}`, {
      cause,
    });
    this.folder = folder;
  }
}
