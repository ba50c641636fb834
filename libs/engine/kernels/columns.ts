// Work on `[rows][columns]` with something of its own for each column, as batch normalisation has for each channel. One
// channel is seen as four columns, so that every row is whole vectors.

@unmanaged
export class ColumnSumArguments {
  a: usize;
  b: usize;
  rows: i32;
  /** Multiple of 4. */
  columns: i32;
  taskRows: i32;
  /** f64 `[tasks][2][columns]`: sums of a, and of a · b. */
  to: usize;
}

/** Sums in double precision: HU squared, a million of them, are beyond single. Task: `taskRows` rows. */
export function sumColumns(a: ColumnSumArguments, task: i32): void {
  const rowBytes = (<usize>a.columns) << 2;
  const first = <usize>(task * a.taskRows) * rowBytes;
  const end = <usize>min((task + 1) * a.taskRows, a.rows) * rowBytes;
  for (let column: usize = 0; column < rowBytes; column += 8) {
    let sum = f64x2.splat(0);
    let products = f64x2.splat(0);
    for (let at = first + column; at < end; at += rowBytes) {
      const value = f64x2.promote_low_f32x4(v128.load64_zero(a.a + at));
      sum = f64x2.add(sum, value);
      products = f64x2.add(products, f64x2.mul(value, f64x2.promote_low_f32x4(v128.load64_zero(a.b + at))));
    }
    const to = a.to + <usize>task * rowBytes * 4 + (column << 1);
    v128.store(to, sum);
    v128.store(to + (rowBytes << 1), products);
  }
}

@unmanaged
export class ColumnCombinationArguments {
  a: usize;
  b: usize;
  /** f32 `[3][columns]`. */
  factors: usize;
  to: usize;
  rows: i32;
  /** Multiple of 4. */
  columns: i32;
  taskRows: i32;
}

/** `to = factors[0] · a + factors[1] · b + factors[2]`. Task: `taskRows` rows. */
export function combineColumns(a: ColumnCombinationArguments, task: i32): void {
  const rowBytes = (<usize>a.columns) << 2;
  const first = <usize>(task * a.taskRows) * rowBytes;
  const end = <usize>min((task + 1) * a.taskRows, a.rows) * rowBytes;
  for (let column: usize = 0; column < rowBytes; column += 16) {
    const byA = v128.load(a.factors + column);
    const byB = v128.load(a.factors + rowBytes + column);
    const constant = v128.load(a.factors + 2 * rowBytes + column);
    for (let at = first + column; at < end; at += rowBytes) {
      const sum = f32x4.add(f32x4.mul(byA, v128.load(a.a + at)), constant);
      v128.store(a.to + at, f32x4.add(sum, f32x4.mul(byB, v128.load(a.b + at))));
    }
  }
}
