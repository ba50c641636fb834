/** What all kernels interpolate with. */

/** A position this close to a voxel's centre is that centre: flips and quarter turns stay exact. */
export const SNAP_VOXELS: f64 = 1e-9;

/** Four voxels of type i16 or f32 as float32. */
export function loadVoxels<Voxel>(address: usize): v128 {
  if (isInteger<Voxel>()) return f32x4.convert_i32x4_s(v128.load16x4_s(address));
  return v128.load(address);
}

/** Exact at fraction 0, and wherever low and high are equal. */
export function lerp(low: v128, high: v128, fraction: v128): v128 {
  return f32x4.add(low, f32x4.mul(f32x4.sub(high, low), fraction));
}

/** Two positions in voxels, kept between 0 and `last` (the border's voxel is repeated) and snapped to centres. */
export function clampToSource(position: v128, last: v128): v128 {
  const clamped = f64x2.pmin(f64x2.pmax(position, f64x2.splat(0)), last);
  const nearest = f64x2.nearest(clamped);
  const isNear = f64x2.lt(f64x2.abs(f64x2.sub(clamped, nearest)), f64x2.splat(SNAP_VOXELS));
  return v128.bitselect(nearest, clamped, isNear);
}

/** Whether both positions lie between 0 and `last`, so that no border is repeated. */
export function isInSource(position: v128, last: v128): bool {
  const before = f64x2.lt(position, f64x2.splat(-SNAP_VOXELS));
  const behind = f64x2.gt(position, f64x2.add(last, f64x2.splat(SNAP_VOXELS)));
  return !v128.any_true(v128.or(before, behind));
}
