// The gradients of a convolution from a list of the places where the output's gradient is not zero. Behind a ReLU that is
// about half of all places, behind a 2x2x2 max pool at most an eighth. One list per output channel and tile of
// positions, so small that the tile's inputs stay in the L1 cache. Vectors run over the contiguous inputs of a kernel row,
// so a list's places may be anywhere.
//
// An entry is 8 bytes: the offset in bytes of a position's first input, and the gradient there.

/** Vectors of one group: contiguous, in one kernel row. */
const GROUP: i32 = 6;
/** Single vectors that are summed together: those of a 3x3 set of rows. */
const SINGLES: i32 = 9;

/**
 * Kernel layout `[output channel][kernel row][input]`, rows filled up to whole vectors. A row is cut into groups of six
 * vectors and single ones. Tables of pairs of 32-bit offsets: into the input, from a position's first, and into the
 * kernel of one output channel.
 */
@unmanaged
export class ListArguments {
  groups: usize;
  groupCount: i32;
  singles: usize;
  singleCount: i32;
  /** Bytes of one output channel's kernel. */
  kernelBytes: usize;
  channels: i32;
  /** Padded input. Up to 12 bytes after it are read, and must be finite. */
  input: usize;
  /** Gradient of the kernel: the sum is added to it. 0: not wanted. */
  kernelGradient: usize;
  /** Gradient of the input, laid out like it; the sum is added to it. 0: not wanted. */
  inputGradient: usize;
  /** The kernel, needed for `inputGradient`. */
  kernel: usize;
  /** Room for `channels` lists of `capacity` entries each. */
  lists: usize;
  capacity: i32;
  /** Room for the end of each list. */
  ends: usize;
}

/** Empties all lists. */
export function clearLists(a: ListArguments): void {
  let list = a.lists;
  for (let channel = 0; channel < a.channels; channel++) {
    store<u32>(a.ends + ((<usize>channel) << 2), <u32>list);
    list += (<usize>a.capacity) << 3;
  }
}

function addProduct(sum: v128, factor: v128, from: usize): v128 {
  return f32x4.add(sum, f32x4.mul(factor, v128.load(from)));
}

/** Two groups of one channel's kernel gradient. */
function gatherTwoGroups(
  list: usize,
  end: usize,
  inputA: usize,
  inputB: usize,
  toA: usize,
  toB: usize,
): void {
  let a0 = v128.load(toA);
  let a1 = v128.load(toA, 16);
  let a2 = v128.load(toA, 32);
  let a3 = v128.load(toA, 48);
  let a4 = v128.load(toA, 64);
  let a5 = v128.load(toA, 80);
  let b0 = v128.load(toB);
  let b1 = v128.load(toB, 16);
  let b2 = v128.load(toB, 32);
  let b3 = v128.load(toB, 48);
  let b4 = v128.load(toB, 64);
  let b5 = v128.load(toB, 80);
  while (list < end) {
    const offset = load<u32>(list);
    const gradient = v128.load_splat<f32>(list, 4);
    const a = inputA + offset;
    const b = inputB + offset;
    a0 = f32x4.add(a0, f32x4.mul(gradient, v128.load(a)));
    a1 = f32x4.add(a1, f32x4.mul(gradient, v128.load(a, 16)));
    a2 = f32x4.add(a2, f32x4.mul(gradient, v128.load(a, 32)));
    a3 = f32x4.add(a3, f32x4.mul(gradient, v128.load(a, 48)));
    a4 = f32x4.add(a4, f32x4.mul(gradient, v128.load(a, 64)));
    a5 = f32x4.add(a5, f32x4.mul(gradient, v128.load(a, 80)));
    b0 = f32x4.add(b0, f32x4.mul(gradient, v128.load(b)));
    b1 = f32x4.add(b1, f32x4.mul(gradient, v128.load(b, 16)));
    b2 = f32x4.add(b2, f32x4.mul(gradient, v128.load(b, 32)));
    b3 = f32x4.add(b3, f32x4.mul(gradient, v128.load(b, 48)));
    b4 = f32x4.add(b4, f32x4.mul(gradient, v128.load(b, 64)));
    b5 = f32x4.add(b5, f32x4.mul(gradient, v128.load(b, 80)));
    list += 8;
  }
  v128.store(toA, a0);
  v128.store(toA, a1, 16);
  v128.store(toA, a2, 32);
  v128.store(toA, a3, 48);
  v128.store(toA, a4, 64);
  v128.store(toA, a5, 80);
  v128.store(toB, b0);
  v128.store(toB, b1, 16);
  v128.store(toB, b2, 32);
  v128.store(toB, b3, 48);
  v128.store(toB, b4, 64);
  v128.store(toB, b5, 80);
}

/** One group: the odd one of a kernel. */
function gatherGroup(list: usize, end: usize, input: usize, to: usize): void {
  let a0 = v128.load(to);
  let a1 = v128.load(to, 16);
  let a2 = v128.load(to, 32);
  let a3 = v128.load(to, 48);
  let a4 = v128.load(to, 64);
  let a5 = v128.load(to, 80);
  while (list < end) {
    const a = input + load<u32>(list);
    const gradient = v128.load_splat<f32>(list, 4);
    a0 = f32x4.add(a0, f32x4.mul(gradient, v128.load(a)));
    a1 = f32x4.add(a1, f32x4.mul(gradient, v128.load(a, 16)));
    a2 = f32x4.add(a2, f32x4.mul(gradient, v128.load(a, 32)));
    a3 = f32x4.add(a3, f32x4.mul(gradient, v128.load(a, 48)));
    a4 = f32x4.add(a4, f32x4.mul(gradient, v128.load(a, 64)));
    a5 = f32x4.add(a5, f32x4.mul(gradient, v128.load(a, 80)));
    list += 8;
  }
  v128.store(to, a0);
  v128.store(to, a1, 16);
  v128.store(to, a2, 32);
  v128.store(to, a3, 48);
  v128.store(to, a4, 64);
  v128.store(to, a5, 80);
}

/** One vector. */
function gatherSingle(list: usize, end: usize, input: usize, to: usize): void {
  let sum = v128.load(to);
  for (; list < end; list += 8) {
    sum = addProduct(sum, v128.load_splat<f32>(list, 4), input + load<u32>(list));
  }
  v128.store(to, sum);
}

/** Nine vectors from a table of pairs. */
function gatherNine(list: usize, end: usize, pairs: usize, input: usize, to: usize): void {
  const from0 = input + load<u32>(pairs);
  const from1 = input + load<u32>(pairs, 8);
  const from2 = input + load<u32>(pairs, 16);
  const from3 = input + load<u32>(pairs, 24);
  const from4 = input + load<u32>(pairs, 32);
  const from5 = input + load<u32>(pairs, 40);
  const from6 = input + load<u32>(pairs, 48);
  const from7 = input + load<u32>(pairs, 56);
  const from8 = input + load<u32>(pairs, 64);
  let s0 = v128.load(to + load<u32>(pairs, 4));
  let s1 = v128.load(to + load<u32>(pairs, 12));
  let s2 = v128.load(to + load<u32>(pairs, 20));
  let s3 = v128.load(to + load<u32>(pairs, 28));
  let s4 = v128.load(to + load<u32>(pairs, 36));
  let s5 = v128.load(to + load<u32>(pairs, 44));
  let s6 = v128.load(to + load<u32>(pairs, 52));
  let s7 = v128.load(to + load<u32>(pairs, 60));
  let s8 = v128.load(to + load<u32>(pairs, 68));
  for (; list < end; list += 8) {
    const offset = load<u32>(list);
    const gradient = v128.load_splat<f32>(list, 4);
    s0 = addProduct(s0, gradient, from0 + offset);
    s1 = addProduct(s1, gradient, from1 + offset);
    s2 = addProduct(s2, gradient, from2 + offset);
    s3 = addProduct(s3, gradient, from3 + offset);
    s4 = addProduct(s4, gradient, from4 + offset);
    s5 = addProduct(s5, gradient, from5 + offset);
    s6 = addProduct(s6, gradient, from6 + offset);
    s7 = addProduct(s7, gradient, from7 + offset);
    s8 = addProduct(s8, gradient, from8 + offset);
  }
  v128.store(to + load<u32>(pairs, 4), s0);
  v128.store(to + load<u32>(pairs, 12), s1);
  v128.store(to + load<u32>(pairs, 20), s2);
  v128.store(to + load<u32>(pairs, 28), s3);
  v128.store(to + load<u32>(pairs, 36), s4);
  v128.store(to + load<u32>(pairs, 44), s5);
  v128.store(to + load<u32>(pairs, 52), s6);
  v128.store(to + load<u32>(pairs, 60), s7);
  v128.store(to + load<u32>(pairs, 68), s8);
}

function addChannelKernelGradient(a: ListArguments, list: usize, end: usize, to: usize): void {
  const input = a.input;
  const groupsEnd = a.groups + ((<usize>a.groupCount) << 3);
  let pair = a.groups;
  for (; pair + 8 < groupsEnd; pair += 16) {
    gatherTwoGroups(
      list,
      end,
      input + load<u32>(pair),
      input + load<u32>(pair, 8),
      to + load<u32>(pair, 4),
      to + load<u32>(pair, 12),
    );
  }
  if (pair < groupsEnd) gatherGroup(list, end, input + load<u32>(pair), to + load<u32>(pair, 4));
  const singlesEnd = a.singles + ((<usize>a.singleCount) << 3);
  pair = a.singles;
  for (; pair + 8 * (SINGLES - 1) < singlesEnd; pair += 8 * SINGLES) gatherNine(list, end, pair, input, to);
  for (; pair < singlesEnd; pair += 8)
    gatherSingle(list, end, input + load<u32>(pair), to + load<u32>(pair, 4));
}

/** Adds what the lists hold to the kernel's gradient. */
export function addKernelGradient(a: ListArguments): void {
  let list = a.lists;
  let to = a.kernelGradient;
  for (let channel = 0; channel < a.channels; channel++) {
    const end = <usize>load<u32>(a.ends + ((<usize>channel) << 2));
    if (end > list) addChannelKernelGradient(a, list, end, to);
    list += (<usize>a.capacity) << 3;
    to += a.kernelBytes;
  }
}

function addTo(to: usize, factor: v128, value: v128): void {
  v128.store(to, f32x4.add(v128.load(to), f32x4.mul(factor, value)));
}

function scatterTwoGroups(
  list: usize,
  end: usize,
  toA: usize,
  toB: usize,
  kernelA: usize,
  kernelB: usize,
): void {
  const a0 = v128.load(kernelA);
  const a1 = v128.load(kernelA, 16);
  const a2 = v128.load(kernelA, 32);
  const a3 = v128.load(kernelA, 48);
  const a4 = v128.load(kernelA, 64);
  const a5 = v128.load(kernelA, 80);
  const b0 = v128.load(kernelB);
  const b1 = v128.load(kernelB, 16);
  const b2 = v128.load(kernelB, 32);
  const b3 = v128.load(kernelB, 48);
  const b4 = v128.load(kernelB, 64);
  const b5 = v128.load(kernelB, 80);
  for (; list < end; list += 8) {
    const offset = load<u32>(list);
    const gradient = v128.load_splat<f32>(list, 4);
    const a = toA + offset;
    const b = toB + offset;
    addTo(a, gradient, a0);
    addTo(a + 16, gradient, a1);
    addTo(a + 32, gradient, a2);
    addTo(a + 48, gradient, a3);
    addTo(a + 64, gradient, a4);
    addTo(a + 80, gradient, a5);
    addTo(b, gradient, b0);
    addTo(b + 16, gradient, b1);
    addTo(b + 32, gradient, b2);
    addTo(b + 48, gradient, b3);
    addTo(b + 64, gradient, b4);
    addTo(b + 80, gradient, b5);
  }
}

function scatterVectors(list: usize, end: usize, to: usize, kernel: usize, vectors: i32): void {
  for (let vector = 0; vector < vectors; vector++) {
    const weights = v128.load(kernel);
    for (let entry = list; entry < end; entry += 8) {
      addTo(to + load<u32>(entry), v128.load_splat<f32>(entry, 4), weights);
    }
    to += 16;
    kernel += 16;
  }
}

function addChannelInputGradient(a: ListArguments, list: usize, end: usize, kernel: usize): void {
  const to = a.inputGradient;
  const groupsEnd = a.groups + ((<usize>a.groupCount) << 3);
  let pair = a.groups;
  for (; pair + 8 < groupsEnd; pair += 16) {
    scatterTwoGroups(
      list,
      end,
      to + load<u32>(pair),
      to + load<u32>(pair, 8),
      kernel + load<u32>(pair, 4),
      kernel + load<u32>(pair, 12),
    );
  }
  if (pair < groupsEnd) scatterVectors(list, end, to + load<u32>(pair), kernel + load<u32>(pair, 4), GROUP);
  const singlesEnd = a.singles + ((<usize>a.singleCount) << 3);
  for (pair = a.singles; pair < singlesEnd; pair += 8) {
    scatterVectors(list, end, to + load<u32>(pair), kernel + load<u32>(pair, 4), 1);
  }
}

/** Adds what the lists hold, times the kernel, to the input's gradient. */
export function addInputGradient(a: ListArguments): void {
  let list = a.lists;
  let kernel = a.kernel;
  for (let channel = 0; channel < a.channels; channel++) {
    const end = <usize>load<u32>(a.ends + ((<usize>channel) << 2));
    if (end > list) addChannelInputGradient(a, list, end, kernel);
    list += (<usize>a.capacity) << 3;
    kernel += a.kernelBytes;
  }
}
