import { formatShape, type Irc, type Shape } from './coordinates.ts';

/** Who has to act: `bad-input` the person who made the file or request, `missing-data` the person who lays out the data. */
export type VolumeErrorKind = 'bad-input' | 'missing-data';

/** Base of every error this library throws on purpose. Narrow by `tag`, or by `kind` where only that matters. */
export abstract class VolumeError extends Error {
  abstract readonly tag: string;
  abstract readonly kind: VolumeErrorKind;
}

/** Where in an image file the fault lies. */
export interface ImageFault {
  /** The file that holds the fault: the header, or the data file it names. */
  readonly path: string;
  /** Header field as MetaImage spells it, as `ElementSpacing`. */
  readonly field?: string;
  /** Line of the header, from 1. */
  readonly line?: number;
  /** What has to be repaired: the header, or the data it describes. Default `header`. */
  readonly part?: 'header' | 'data';
  readonly cause?: unknown;
}

/** An image file says something impossible, unsupported or inconsistent. Repair the file, or convert it. */
export class BadImageError extends VolumeError {
  readonly tag = 'BadImageError';
  readonly kind = 'bad-input';
  readonly path: string;
  readonly field: string | undefined;
  readonly line: number | undefined;
  readonly part: 'header' | 'data';

  /** `rule` completes "Cannot read PATH:LINE: "; it names the field, the rule and the value found. */
  constructor(rule: string, fault: ImageFault) {
    const place = fault.line === undefined ? fault.path : `${fault.path}:${fault.line}`;
    super(`Cannot read ${place}: ${rule}`, { cause: fault.cause });
    this.path = fault.path;
    this.field = fault.field;
    this.line = fault.line;
    this.part = fault.part ?? 'header';
  }
}

/** An image file, or the data file its header names, is not there or cannot be opened. */
export class MissingImageError extends VolumeError {
  readonly tag = 'MissingImageError';
  readonly kind = 'missing-data';
  readonly path: string;
  /** What was found instead, as completes "Cannot open PATH: ". */
  readonly rule: string;
  /** There is nothing of that name; otherwise there is, or may be, and it cannot be read. */
  readonly isAbsent: boolean;

  constructor(
    rule: string,
    fault: { readonly path: string; readonly isAbsent?: boolean; readonly cause?: unknown },
  ) {
    super(`Cannot open ${fault.path}: ${rule}`, { cause: fault.cause });
    this.path = fault.path;
    this.rule = rule;
    this.isAbsent = fault.isAbsent ?? false;
  }
}

/** A geometry is no geometry: spacing not positive, numbers not finite, direction without an inverse. */
export class BadGeometryError extends VolumeError {
  readonly tag = 'BadGeometryError';
  readonly kind = 'bad-input';
  readonly field: 'shape' | 'spacingXyzMm' | 'originXyzMm' | 'direction';

  constructor(field: BadGeometryError['field'], rule: string) {
    super(`Cannot use volume geometry: ${field} ${rule}`);
    this.field = field;
  }
}

/** A chunk was asked for around a centre that is no voxel of the volume. */
export class CentreOutsideVolumeError extends VolumeError {
  readonly tag = 'CentreOutsideVolumeError';
  readonly kind = 'bad-input';
  readonly centerIrc: Irc;
  readonly volumeShape: Shape;

  constructor(centerIrc: Irc, volumeShape: Shape) {
    super(
      `Cannot cut a chunk: its centre must lie inside the volume of ${formatShape(volumeShape)} voxels, ` +
        `got index ${centerIrc[0]}, row ${centerIrc[1]}, column ${centerIrc[2]}`,
    );
    this.centerIrc = centerIrc;
    this.volumeShape = volumeShape;
  }
}

/** A chunk shape that no chunk can have. */
export class BadChunkShapeError extends VolumeError {
  readonly tag = 'BadChunkShapeError';
  readonly kind = 'bad-input';

  constructor(chunkShape: Shape, rule = 'be three positive integers') {
    super(`Cannot cut a chunk: its shape must ${rule}, got ${formatShape(chunkShape)}`);
  }
}
