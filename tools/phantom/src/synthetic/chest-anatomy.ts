/**
 * A chest as formulas of the place: body wall, ribs, spine, mediastinum, heart, two lungs. Axes as a scanner has them
 * (x to the patient's left, y to the back, z to the head), in mm from the middle of the chest. Sizes are those of an
 * adult; sources for the HU: soft tissue 30..60, fat -100, lung -870..-820, cortical bone 400 and up (any CT textbook).
 * No vessels: those are vessel-tree.ts.
 */
import type { RandomStream } from '@lunastream/random';
import type { Vector } from '../geometry/vector.ts';

/** What differs from patient to patient. */
export interface ChestVariant {
  /** Times the standard size. */
  readonly size: number;
  readonly fatMm: number;
  readonly parenchymaHu: number;
  /** Phases of the ripples on the lung's surface. */
  readonly phases: Vector;
}

export const PARENCHYMA_RANGE_HU = [-890, -820] as const;

export function sampleChestVariant(random: RandomStream): ChestVariant {
  const phase = () => random.uniformBetween(0, 2 * Math.PI);
  return {
    size: random.uniformBetween(0.92, 1.05),
    fatMm: random.uniformBetween(6, 16),
    parenchymaHu: random.uniformBetween(...PARENCHYMA_RANGE_HU),
    phases: [phase(), phase(), phase()],
  };
}

/** Middle of the lung on the patient's left (side 1) or right (side -1), standard size. */
export function lungCentreMm(side: 1 | -1): Vector {
  return [side * 70, 0, 0];
}

const BODY_HALF_WIDTH_MM = 165;
const BODY_HALF_DEPTH_MM = 122;
const AIR_HU = -1000;
const FAT_HU = -100;
const MUSCLE_HU = 50;
const BLOOD_HU = 42;
const LIVER_HU = 58;
const MARROW_HU = 180;
const CORTEX_HU = 480;

const RIB_DEPTH_MM = 22;
const RIB_RADIUS_MM = 5.5;
const RIB_PERIOD_MM = 25;
const RIB_SLOPE = 0.35;
const VERTEBRA_PERIOD_MM = 27;
const DISC_MM = 5;

/** About the distance to the surface of an ellipsoid, positive inside (first-order, exact on the surface). */
function ellipsoidDepthMm(dx: number, dy: number, dz: number, radii: Vector): number {
  const u = dx / radii[0];
  const v = dy / radii[1];
  const w = dz / radii[2];
  const relative = Math.sqrt(u * u + v * v + w * w);
  if (relative < 1e-6) return Math.min(...radii);
  const gradient = Math.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2 + (w / radii[2]) ** 2);
  return ((1 - relative) * relative) / gradient;
}

const LUNG_RADII: Vector = [58, 82, 128];
const HEART_RADII: Vector = [56, 48, 62];

function bodyDepthMm(x: number, y: number): number {
  const relative = Math.sqrt((x / BODY_HALF_WIDTH_MM) ** 2 + (y / BODY_HALF_DEPTH_MM) ** 2);
  if (relative < 1e-6) return BODY_HALF_DEPTH_MM;
  return ((1 - relative) / relative) * Math.sqrt(x * x + y * y);
}

const DIAPHRAGM_RIM_Z = -95;

/** The diaphragm's height under the lung at (x, y): a dome, lower at its rim. */
function diaphragmZ(x: number, y: number): number {
  const fromTop = ((Math.abs(x) - 62) / 60) ** 2 + (y / 88) ** 2;
  return DIAPHRAGM_RIM_Z + 48 * (1 - Math.min(1.4, fromTop));
}

/** Half width of the space between the lungs: wider at the spine. */
function mediastinumHalfWidthMm(y: number): number {
  const fromSpine = (y - 70) / 26;
  return 17 + 12 * Math.exp(-fromSpine * fromSpine);
}

function standardLungDepthMm(x: number, y: number, z: number, phases: Vector): number {
  const side = x < 0 ? -1 : 1;
  let depth = ellipsoidDepthMm(x - side * 70, y, z, LUNG_RADII);
  if (depth < -20) return depth;
  depth = Math.min(depth, Math.abs(x) - mediastinumHalfWidthMm(y), z - diaphragmZ(x, y));
  depth = Math.min(depth, -ellipsoidDepthMm(x - 22, y + 32, z + 62, HEART_RADII) - 2);
  // Descending aorta.
  depth = Math.min(depth, Math.sqrt((x - 24) ** 2 + (y - 46) ** 2) - 14);
  const ripple = Math.sin(x / 11 + phases[0]) * Math.sin(y / 13 + phases[1]) * Math.sin(z / 17 + phases[2]);
  return depth + 1.5 * ripple;
}

function ribHu(bodyDepth: number, y: number, z: number): number | undefined {
  const along = z - RIB_SLOPE * y;
  const off = along - RIB_PERIOD_MM * Math.round(along / RIB_PERIOD_MM);
  const fromAxis = Math.sqrt((bodyDepth - RIB_DEPTH_MM) ** 2 + off * off * 0.8);
  if (fromAxis > RIB_RADIUS_MM) return undefined;
  return fromAxis > RIB_RADIUS_MM - 1.4 ? CORTEX_HU : MARROW_HU;
}

function spineHu(x: number, y: number, z: number): number | undefined {
  const canal = Math.sqrt(x * x + (y - 92) ** 2);
  if (canal < 8) return 20;
  if (canal < 12 || (Math.abs(x) < 4 && y > 100 && y < 116)) return CORTEX_HU;
  const body = Math.sqrt((x / 1.2) ** 2 + (y - 68) ** 2);
  if (body > 17) return undefined;
  const along = z - VERTEBRA_PERIOD_MM * Math.round(z / VERTEBRA_PERIOD_MM);
  if (Math.abs(along) > (VERTEBRA_PERIOD_MM - DISC_MM) / 2) return 70;
  return body > 15.5 ? CORTEX_HU : MARROW_HU;
}

function windpipeHu(x: number, y: number, z: number): number | undefined {
  if (z < 22) return undefined;
  const fromAxis = Math.sqrt(x * x + (y - 18) ** 2);
  if (fromAxis > 10) return undefined;
  return fromAxis < 8.5 ? AIR_HU : MUSCLE_HU;
}

/** Fat lies between the organs of the mediastinum. */
function mediastinumHu(x: number, y: number, z: number): number {
  const heart = ellipsoidDepthMm(x - 22, y + 32, z + 62, HEART_RADII);
  if (heart > 0) return BLOOD_HU;
  const vessels = Math.min(
    Math.sqrt((x - 24) ** 2 + (y - 46) ** 2) - 12.5,
    Math.sqrt((x + 14) ** 2 + (y + 12) ** 2) - 13,
    Math.sqrt((x - 12) ** 2 + (y + 8) ** 2) - 11,
  );
  return vessels < 0 || heart < -7 ? BLOOD_HU : FAT_HU + 60;
}

/** 0 well outside a surface, 1 well inside, linear over `widthMm` across it: the share of a voxel that lies inside. */
function shareInside(depthMm: number, widthMm: number): number {
  return Math.min(1, Math.max(0, 0.5 + depthMm / widthMm));
}

/** The chest of one variant. */
export class ChestAnatomy {
  readonly variant: ChestVariant;

  constructor(variant: ChestVariant) {
    this.variant = variant;
  }

  /** About the distance in mm to the lung's surface, positive inside. */
  lungDepthMm(x: number, y: number, z: number): number {
    const { size, phases } = this.variant;
    return size * standardLungDepthMm(x / size, y / size, z / size, phases);
  }

  /** Mean HU, without vessels and noise, of a voxel `widthMm` wide at the place. */
  huAt(x: number, y: number, z: number, widthMm: number): number {
    const { size } = this.variant;
    const [sx, sy, sz] = [x / size, y / size, z / size];
    const bodyDepth = size * bodyDepthMm(sx, sy);
    if (bodyDepth < -widthMm) return AIR_HU;
    const lungDepth = bodyDepth < 20 ? -1 : this.lungDepthMm(x, y, z);
    const lungShare = bodyDepth < 20 ? 0 : shareInside(lungDepth, widthMm);
    if (lungShare === 1) return this.#parenchymaHu(x, y, z);
    const tissue = this.#tissueHu([sx, sy, sz], bodyDepth);
    if (lungShare > 0) return tissue + lungShare * (this.#parenchymaHu(x, y, z) - tissue);
    const bodyShare = shareInside(bodyDepth, widthMm);
    return AIR_HU + bodyShare * (tissue - AIR_HU);
  }

  #tissueHu([x, y, z]: Vector, bodyDepth: number): number {
    if (bodyDepth < this.variant.fatMm) return bodyDepth < 1.5 ? MUSCLE_HU : FAT_HU;
    const bone = spineHu(x, y, z) ?? ribHu(bodyDepth, y, z);
    if (bone !== undefined) return bone;
    if (z < DIAPHRAGM_RIM_Z) return bodyDepth > 34 ? LIVER_HU : MUSCLE_HU;
    if (Math.abs(x) < 75 && bodyDepth > 34) return windpipeHu(x, y, z) ?? mediastinumHu(x, y, z);
    return MUSCLE_HU;
  }

  /** Denser toward the back, where a lying patient's blood is, with slow changes of ventilation. */
  #parenchymaHu(x: number, y: number, z: number): number {
    const slow = Math.sin(x / 19 + this.variant.phases[1]) * Math.sin((y + z) / 23 + this.variant.phases[0]);
    return this.variant.parenchymaHu + 0.35 * y + 12 * slow;
  }
}
