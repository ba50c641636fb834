// Volumes with a border of zeros, as the convolutions want them.

/** Steps in bytes. */
@unmanaged
export class PadArguments {
  /** `[samples][depth][height][width][channels]` */
  from: usize;
  depth: i32;
  height: i32;
  width: i32;
  positionBytes: usize;
  /** First position inside the border of the first sample. */
  to: usize;
  /** Start and size of the first sample's bordered volume. */
  padded: usize;
  paddedBytes: usize;
  /** Between positions in the bordered volume; larger than a position to put zeros between them. */
  toPlane: usize;
  toRow: usize;
  toStep: usize;
}

function copyRow(a: PadArguments, from: usize, to: usize): void {
  if (a.toStep == a.positionBytes) {
    memory.copy(to, from, <usize>a.width * a.positionBytes);
    return;
  }
  for (let column = 0; column < a.width; column++) {
    memory.copy(to, from, a.positionBytes);
    from += a.positionBytes;
    to += a.toStep;
  }
}

/** Task: a sample. */
export function pad(a: PadArguments, task: i32): void {
  const rowBytes = <usize>a.width * a.positionBytes;
  let from = a.from + <usize>(task * a.depth * a.height) * rowBytes;
  memory.fill(a.padded + task * a.paddedBytes, 0, a.paddedBytes);
  for (let plane = 0; plane < a.depth; plane++) {
    let to = a.to + task * a.paddedBytes + plane * a.toPlane;
    for (let row = 0; row < a.height; row++) {
      copyRow(a, from, to);
      from += rowBytes;
      to += a.toRow;
    }
  }
}
