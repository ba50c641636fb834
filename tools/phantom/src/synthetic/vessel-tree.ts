/**
 * Arteries, veins and bronchi of a synthetic lung. A branch grows in short bent pieces, turns away from the pleura, and
 * splits in two by Murray's law (parent radius cubed = sum of the children's cubed; PNAS 12 (1926) 207), the thinner
 * child turning further. Bronchi run beside the larger arteries, about as wide as they.
 */
import type { RandomStream } from '@lunastream/random';
import type { ChestAnatomy } from './chest-anatomy.ts';
import {
  add,
  cross,
  normalised,
  randomDirection,
  randomPerpendicular,
  scaled,
  subtract,
  type Vector,
} from '../geometry/vector.ts';

export interface VesselPiece {
  readonly from: Vector;
  readonly to: Vector;
  readonly fromRadiusMm: number;
  readonly toRadiusMm: number;
}

export interface VesselTree {
  readonly vessels: readonly VesselPiece[];
  /** Outer wall of each bronchus; the lumen is `LUMEN_RATIO` of it. */
  readonly airways: readonly VesselPiece[];
  /** Where a vessel splits in two. */
  readonly bifurcations: readonly Vector[];
}

export const LUMEN_RATIO = 0.68;

const ROOT_RADIUS_MM = 3.4;
const THINNEST_MM = 0.45;
const THINNEST_WITH_AIRWAY_MM = 1.2;
const LONGEST_BRANCH_MM = 28;
const PIECES_PER_BRANCH = 3;
const PLEURA_MARGIN_MM = 1.5;
const STEER_STEP_MM = 3;

// Where the five main branches of a lung head for, in mm from the lung's middle at standard size, x outward.
const LOBE_TARGETS: readonly Vector[] = [
  [10, -45, 70],
  [15, 45, 75],
  [35, -30, 5],
  [10, 60, -20],
  [25, 0, -60],
];

interface Branch {
  readonly start: Vector;
  readonly heading: Vector;
  readonly radiusMm: number;
  /** Plane of the last split: the next one is turned against it. */
  readonly normal: Vector;
  readonly isArtery: boolean;
}

class Growth {
  readonly vessels: VesselPiece[] = [];
  readonly airways: VesselPiece[] = [];
  readonly bifurcations: Vector[] = [];
  readonly #anatomy: ChestAnatomy;
  readonly #random: RandomStream;
  readonly #buds: Branch[] = [];

  constructor(anatomy: ChestAnatomy, random: RandomStream) {
    this.#anatomy = anatomy;
    this.#random = random;
  }

  plant(bud: Branch): void {
    this.#buds.push(bud);
  }

  run(): void {
    for (let bud = this.#buds.pop(); bud !== undefined; bud = this.#buds.pop()) this.#grow(bud);
  }

  #grow(branch: Branch): void {
    const random = this.#random;
    const lengthMm = Math.min(LONGEST_BRANCH_MM, 6 + branch.radiusMm * random.uniformBetween(3, 6.5));
    const step = lengthMm / PIECES_PER_BRANCH;
    let at = branch.start;
    let heading = branch.heading;
    for (let piece = 0; piece < PIECES_PER_BRANCH; piece++) {
      heading = normalised(add(heading, scaled(randomDirection(random), 0.22)));
      const next = this.#steered(at, heading, { step, radiusMm: branch.radiusMm });
      if (next === undefined) return;
      heading = normalised(subtract(next, at));
      const taper = (part: number) => branch.radiusMm * (1 - 0.12 * (part / PIECES_PER_BRANCH));
      this.#lay({ from: at, to: next, fromRadiusMm: taper(piece), toRadiusMm: taper(piece + 1) }, branch);
      at = next;
    }
    this.#split(branch, at, heading);
  }

  /** The end of a step along `heading`, bent inward near the pleura; undefined where there is no way on. */
  #steered(
    at: Vector,
    heading: Vector,
    { step, radiusMm }: { readonly step: number; readonly radiusMm: number },
  ): Vector | undefined {
    const straight = add(at, scaled(heading, step));
    const depthBefore = this.#anatomy.lungDepthMm(...at);
    const margin = PLEURA_MARGIN_MM + radiusMm;
    // Between hilum and lung there is nothing to keep away from.
    if (depthBefore < margin && this.#anatomy.lungDepthMm(...straight) > depthBefore) return straight;
    if (this.#anatomy.lungDepthMm(...straight) > margin) return straight;
    const bent = normalised(add(heading, scaled(this.#inward(straight), 1.2)));
    const turned = add(at, scaled(bent, step));
    return this.#anatomy.lungDepthMm(...turned) > margin ? turned : undefined;
  }

  #inward([x, y, z]: Vector): Vector {
    const depth = (dx: number, dy: number, dz: number) => this.#anatomy.lungDepthMm(x + dx, y + dy, z + dz);
    return normalised([
      depth(STEER_STEP_MM, 0, 0) - depth(-STEER_STEP_MM, 0, 0),
      depth(0, STEER_STEP_MM, 0) - depth(0, -STEER_STEP_MM, 0),
      depth(0, 0, STEER_STEP_MM) - depth(0, 0, -STEER_STEP_MM),
    ]);
  }

  #lay(piece: VesselPiece, branch: Branch): void {
    this.vessels.push(piece);
    if (!branch.isArtery || branch.radiusMm < THINNEST_WITH_AIRWAY_MM) return;
    const outer = 1.1 * branch.radiusMm;
    const beside = scaled(branch.normal, branch.radiusMm + outer + 0.3);
    this.airways.push({
      from: add(piece.from, beside),
      to: add(piece.to, beside),
      fromRadiusMm: outer,
      toRadiusMm: outer,
    });
  }

  #split(branch: Branch, at: Vector, heading: Vector): void {
    const random = this.#random;
    const share = random.uniformBetween(0.25, 0.75);
    // A right angle to the last plane, give or take, fills space best (as airways and arteries do).
    const sideways = normalised(
      add(cross(heading, branch.normal), scaled(randomPerpendicular(heading, random), 0.5)),
    );
    const normal = normalised(cross(heading, sideways));
    for (const [part, sign] of [
      [share, 1],
      [1 - share, -1],
    ] as const) {
      const radiusMm = branch.radiusMm * Math.cbrt(part) * 0.97;
      if (radiusMm < THINNEST_MM) continue;
      const angle = (Math.PI / 180) * (14 + 36 * (1 - part)) * sign;
      const turned = add(scaled(heading, Math.cos(angle)), scaled(sideways, Math.sin(angle)));
      this.plant({ start: at, heading: turned, radiusMm, normal, isArtery: branch.isArtery });
    }
    this.bifurcations.push(at);
  }
}

/** Grows the vessels of both lungs, in the anatomy's coordinates. */
export function growVesselTree(anatomy: ChestAnatomy, random: RandomStream): VesselTree {
  const growth = new Growth(anatomy, random);
  const { size } = anatomy.variant;
  for (const side of [-1, 1] as const) {
    for (const isArtery of [true, false]) {
      const hilum: Vector = [side * 16 * size, (isArtery ? 14 : 4) * size, (isArtery ? 8 : -8) * size];
      for (const [outward, back, up] of LOBE_TARGETS) {
        const jitter = scaled(randomDirection(random), 14);
        const target = add([side * (70 + outward) * size, back * size, up * size], jitter);
        const heading = normalised(subtract(target, hilum));
        growth.plant({
          start: hilum,
          heading,
          radiusMm: ROOT_RADIUS_MM * random.uniformBetween(0.85, 1.1),
          normal: randomPerpendicular(heading, random),
          isArtery,
        });
      }
    }
  }
  growth.run();
  return { vessels: growth.vessels, airways: growth.airways, bifurcations: growth.bifurcations };
}
