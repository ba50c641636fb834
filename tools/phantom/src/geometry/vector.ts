import type { RandomStream } from '@lunastream/random';

/** Three numbers in patient space: a point or an offset in mm, or a unit direction. LPS axes, as MetaImage has them. */
export type Vector = readonly [x: number, y: number, z: number];

export function add(a: Vector, b: Vector): Vector {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

export function subtract(a: Vector, b: Vector): Vector {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

export function scaled(a: Vector, factor: number): Vector {
  return [a[0] * factor, a[1] * factor, a[2] * factor];
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function norm(a: Vector): number {
  return Math.sqrt(dot(a, a));
}

export function distance(a: Vector, b: Vector): number {
  return norm(subtract(a, b));
}

/** `a` at length 1; the head direction for the zero vector. */
export function normalised(a: Vector): Vector {
  const length = norm(a);
  return length === 0 ? [0, 0, 1] : scaled(a, 1 / length);
}

/** A direction uniform on the sphere (Archimedes: the height on the axis is uniform). Two words of `random`. */
export function randomDirection(random: RandomStream): Vector {
  const height = random.uniformBetween(-1, 1);
  const angle = random.uniformBetween(0, 2 * Math.PI);
  const ring = Math.sqrt(1 - height * height);
  return [ring * Math.cos(angle), ring * Math.sin(angle), height];
}

/** A direction at a right angle to the unit vector `axis`, uniform round it. */
export function randomPerpendicular(axis: Vector, random: RandomStream): Vector {
  const other: Vector = Math.abs(axis[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0];
  const first = normalised(cross(axis, other));
  const second = cross(axis, first);
  const angle = random.uniformBetween(0, 2 * Math.PI);
  return add(scaled(first, Math.cos(angle)), scaled(second, Math.sin(angle)));
}

/** `count` directions spread evenly over the sphere (Fibonacci lattice), always the same ones. */
export function evenDirections(count: number): Vector[] {
  const goldenAngle = Math.PI * (3 - Math.sqrt(5));
  return Array.from({ length: count }, (_, index) => {
    const height = 1 - (2 * index + 1) / count;
    const ring = Math.sqrt(1 - height * height);
    return [ring * Math.cos(index * goldenAngle), ring * Math.sin(index * goldenAngle), height];
  });
}
