/** Who has to act: `bad-input` the person who typed the settings, `missing-data` the person who made the checkout. */
export type PhantomErrorKind = 'bad-input' | 'missing-data';

/** Base of every error this package throws on purpose. Narrow by `instanceof` of a subclass, or by `kind`. */
export abstract class PhantomError extends Error {
  abstract readonly kind: PhantomErrorKind;
  abstract readonly tag: string;
}

/** Settings that cannot be used. Every fault is listed at once. */
export class PhantomSettingsError extends PhantomError {
  readonly tag = 'PhantomSettingsError';
  readonly kind = 'bad-input';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`Cannot generate a phantom data set: ${faults.join('; ')}`);
    this.faults = faults;
  }
}

/** The output folder holds something else. Nothing in it was changed: choose another folder, or remove it. */
export class PhantomTargetError extends PhantomError {
  readonly tag = 'PhantomTargetError';
  readonly kind = 'bad-input';
  readonly outDir: string;

  constructor(outDir: string, rule: string, options?: ErrorOptions) {
    super(`Cannot write a phantom data set into ${outDir}: ${rule}`, options);
    this.outDir = outDir;
  }
}

/** A lung has no room for all that was asked: ask for fewer nodules or negatives, or for larger scans. */
export class PhantomCapacityError extends PhantomError {
  readonly tag = 'PhantomCapacityError';
  readonly kind = 'bad-input';
  readonly seriesUid: string;
  readonly wanted: number;
  readonly placed: number;

  constructor(
    what: 'nodules' | 'negatives',
    seriesUid: string,
    count: { readonly wanted: number; readonly placed: number },
  ) {
    super(
      `Cannot place ${count.wanted} ${what} in scan ${seriesUid}: they must keep apart inside the lung, ` +
        `got room for ${count.placed}`,
    );
    this.seriesUid = seriesUid;
    this.wanted = count.wanted;
    this.placed = count.placed;
  }
}

/** A lung CT that this package ships cannot be used: the checkout is incomplete or the file was changed. */
export class PhantomBackgroundError extends PhantomError {
  readonly tag = 'PhantomBackgroundError';
  readonly kind = 'missing-data';
  readonly path: string;

  constructor(path: string, rule: string, options?: ErrorOptions) {
    super(`Cannot use the lung CT ${path}: ${rule}`, options);
    this.path = path;
  }
}
