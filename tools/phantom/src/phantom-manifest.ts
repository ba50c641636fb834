/** phantom.json: what a generated data set is, how it was made, and every nodule in it. */
import { createHash } from 'node:crypto';
import type { LookAlike, LookAlikeKind } from './look-alikes.ts';
import { groundGlassHu } from './nodules/nodule-tissue.ts';
import type { Attachment, PlacedNodule } from './nodules/place-nodules.ts';
import type { PhantomSettings } from './settings.ts';

/** Raised by every change that alters the bytes made from some settings. */
export const PHANTOM_VERSION = 1;
export const MANIFEST_FILE = 'phantom.json';

export interface NoduleRecord {
  readonly centerXyzMm: readonly number[];
  /** Of the sphere of equal volume. */
  readonly diameterMm: number;
  readonly attachment: Attachment;
  readonly surface: string;
  readonly density: string;
  /** HU of its body, outside a solid core. */
  readonly bodyHu: number;
  readonly tissueHu: number;
  readonly coreRatio: number;
  readonly edgeSigmaMm: number;
}

export interface SeriesRecord {
  readonly seriesUid: string;
  readonly patientId: string;
  readonly background: string;
  readonly parenchymaHu: number;
  readonly nodules: readonly NoduleRecord[];
  /** Number of negative candidates by what they show. */
  readonly lookAlikes: Readonly<Partial<Record<LookAlikeKind, number>>>;
}

export interface PhantomManifest {
  readonly version: number;
  readonly settings: PhantomSettings;
  readonly series: readonly SeriesRecord[];
}

/**
 * `1.3.6.1.4.1.99999.<fingerprint>.<seed>.<n>`, n from 1. LUNA16's identifiers also begin with 1.3.6.1.4.1, the arc of
 * private organisations; 99999 marks a simulated series here. The fingerprint is 32 bits of the SHA-256 of version and
 * settings, so that two series with one identifier have the same voxels, and a chunk cache can't mix them up.
 */
export function phantomSeriesUid(settings: PhantomSettings, scanIndex: number): string {
  const text = JSON.stringify([PHANTOM_VERSION, settings]);
  const fingerprint = createHash('sha256').update(text).digest().readUInt32BE(0);
  return `1.3.6.1.4.1.99999.${fingerprint}.${settings.seed}.${scanIndex + 1}`;
}

export function noduleRecord(nodule: PlacedNodule, parenchymaHu: number): NoduleRecord {
  const { centre, shape, tissue, attachment } = nodule;
  return {
    centerXyzMm: centre,
    diameterMm: shape.diameterMm,
    attachment,
    surface: shape.surface,
    density: tissue.density,
    bodyHu: groundGlassHu(tissue, parenchymaHu),
    tissueHu: tissue.tissueHu,
    coreRatio: tissue.coreRatio,
    edgeSigmaMm: tissue.edgeSigmaMm,
  };
}

export function countByKind(lookAlikes: readonly LookAlike[]): SeriesRecord['lookAlikes'] {
  const counts: Partial<Record<LookAlikeKind, number>> = {};
  for (const { kind } of lookAlikes) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

export function manifestText(manifest: PhantomManifest): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
