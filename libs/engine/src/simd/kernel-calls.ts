/**
 * The kernels of `kernels/kernel-table.ts` and their arguments, and programs made of calls to them. Positions and
 * field orders here are those of the AssemblyScript classes; what a field means is said there.
 */

type FieldType = 'i32' | 'f32' | 'f64';
type Fields = Readonly<Record<string, FieldType>>;

/** Fields that are all addresses, lengths or counts. */
function integers<Name extends string>(...names: readonly Name[]): Record<Name, 'i32'> {
  return Object.fromEntries(names.map((name) => [name, 'i32'])) as Record<Name, 'i32'>;
}

/** Factors. */
function doubles<Name extends string>(...names: readonly Name[]): Record<Name, 'f64'> {
  return Object.fromEntries(names.map((name) => [name, 'f64'])) as Record<Name, 'f64'>;
}

const CONVOLUTION = {
  ...integers('offsets', 'rowCount', 'rowBytes', 'step'),
  ...integers('input', 'inputSample', 'inputPlane', 'inputRow', 'weights', 'weightBlock', 'bias'),
  floor: 'f32',
  ...integers('output', 'outputSample', 'outputPlane', 'outputRow', 'outputStep'),
  ...integers('depth', 'height', 'width', 'channels', 'partialRow'),
} as const;

const WINOGRAD = {
  ...integers('input', 'inputPlane', 'inputRow', 'inputChannels', 'weights', 'bias'),
  floor: 'f32',
  ...integers('output', 'outputPlane', 'outputRow', 'outputChannels', 'depth', 'height', 'width'),
  ...integers('stripRows', 'columns', 'ring', 'products', 'places', 'unpooled', 'tileRows'),
} as const;

const LISTS = integers(
  ...(['groups', 'groupCount', 'singles', 'singleCount', 'kernelBytes', 'channels'] as const),
  ...(['input', 'kernelGradient', 'inputGradient', 'kernel', 'lists', 'capacity', 'ends'] as const),
);

const DENSE_GRADIENT = {
  ...LISTS,
  ...integers('gradient', 'gradientPlane', 'gradientRow', 'biasGradient'),
  ...integers('inputPlane', 'inputRow', 'inputStep', 'depth', 'height', 'width', 'tileRows'),
} as const;

const POOLED_GRADIENT = {
  ...LISTS,
  ...integers('gradient', 'places', 'placeOffsets', 'biasGradient', 'inputPlane', 'inputRow', 'inputStep'),
  ...integers('inputPlanes', 'depth', 'height', 'width', 'tileRows'),
} as const;

const STATISTICS = integers('batch', 'voxelCount', 'sums', 'squares');
const GRADIENTS = integers('batch', 'gradients');
const WEIGHTS = integers(
  ...(['plain', 'tapStride', 'inputStride', 'outputStride'] as const),
  ...(['inputs', 'outputs', 'rowCount', 'rowTaps', 'packed'] as const),
);

const MAX_POOL = integers(
  ...(['input', 'depth', 'height', 'width', 'channels'] as const),
  ...(['output', 'outDepth', 'outHeight', 'outWidth'] as const),
  ...(['windowDepth', 'windowHeight', 'windowWidth'] as const),
  ...(['strideDepth', 'strideHeight', 'strideWidth', 'padFront', 'padTop', 'padLeft'] as const),
  ...(['inputGradient', 'largest'] as const),
);

/** In the order of their numbers, from 1. */
const KERNELS = {
  convolve: CONVOLUTION,
  convolveVolume: CONVOLUTION,
  convolveWinograd: WINOGRAD,
  addDenseGradient: DENSE_GRADIENT,
  addPooledGradient: POOLED_GRADIENT,
  addRegionSums: integers('gradient', 'plane', 'row', 'channels', 'depth', 'height', 'width', 'sums'),
  sumVoxels: STATISTICS,
  sumSquares: STATISTICS,
  loadSample: integers('batch', 'depth', 'height', 'width', 'normalised', 'input', 'plane', 'row', 'bend'),
  runHead: integers(
    ...(['batch', 'featureCount', 'features', 'weights', 'bias', 'logits'] as const),
    ...(['weightGradient', 'biasGradient', 'featureGradient'] as const),
  ),
  clearGradients: GRADIENTS,
  storeGradients: GRADIENTS,
  reduceParts: integers('parts', 'count', 'stride', 'length', 'taskLength', 'to', 'add'),
  stepMomentum: {
    ...doubles('learningRate', 'momentum', 'weightDecay', 'gradientScale'),
    ...integers('values', 'velocities', 'gradients', 'newValues', 'newVelocities', 'length', 'taskLength'),
  },
  packBlocks: WEIGHTS,
  packRows: WEIGHTS,
  unpackRows: WEIGHTS,
  packWinograd: WEIGHTS,
  pad: integers(
    ...(['from', 'depth', 'height', 'width', 'positionBytes'] as const),
    ...(['to', 'padded', 'paddedBytes', 'toPlane', 'toRow', 'toStep'] as const),
  ),
  addGradientPart: {
    ...DENSE_GRADIENT,
    ...integers('firstInput', 'inputSample', 'planeCount', 'taskPlanes', 'parts', 'partBytes'),
  },
  maxPool: MAX_POOL,
  maxPoolGradient: MAX_POOL,
  binary: integers('operation', 'a', 'b', 'to', 'length', 'period', 'taskLength'),
  unary: integers('operation', 'from', 'to', 'length', 'taskLength'),
  sumRows: integers('from', 'rows', 'columns', 'taskRows', 'to'),
  sumColumns: integers('a', 'b', 'rows', 'columns', 'taskRows', 'to'),
  combineColumns: integers('a', 'b', 'factors', 'to', 'rows', 'columns', 'taskRows'),
  softmaxCrossEntropy: integers('logits', 'labels', 'rows', 'classes', 'taskRows', 'losses', 'slopes'),
  stepAdam: {
    ...doubles('learningRate', 'firstDecay', 'secondDecay', 'secondCorrection', 'epsilon', 'weightDecay'),
    ...doubles('kept', 'gradientScale'),
    ...integers('values', 'firstMoments', 'secondMoments', 'gradients', 'length', 'taskLength'),
  },
} as const satisfies Readonly<Record<string, Fields>>;

export type KernelName = keyof typeof KERNELS;
export type KernelArguments<Name extends KernelName> = Readonly<Record<keyof (typeof KERNELS)[Name], number>>;

/** One step of a program, encoded. */
export type KernelCall = Uint8Array;

const NUMBERS = new Map(Object.keys(KERNELS).map((name, index) => [name, index + 1]));
const BYTES = { i32: 4, f32: 4, f64: 8 } as const;
const HEADER_BYTES = 8;
const roundUpTo8 = (bytes: number) => Math.ceil(bytes / 8) * 8;

/** Little endian, as WebAssembly's memory. */
function setField(view: DataView, at: number, type: FieldType, value: number): void {
  if (type === 'i32') view.setInt32(at, value, true);
  else if (type === 'f32') view.setFloat32(at, value, true);
  else view.setFloat64(at, value, true);
}

/** A call of a kernel. Arguments are addresses, counts and factors: `kernels/` documents each. */
export function callKernel<Name extends KernelName>(name: Name, values: KernelArguments<Name>): KernelCall {
  const fields = Object.entries<FieldType>(KERNELS[name]);
  const size = fields.reduce((sum, [, type]) => sum + BYTES[type], HEADER_BYTES);
  const call = new Uint8Array(roundUpTo8(size));
  const view = new DataView(call.buffer);
  setField(view, 0, 'i32', NUMBERS.get(name)!);
  setField(view, 4, 'i32', call.length);
  let at = HEADER_BYTES;
  for (const [field, type] of fields) {
    setField(view, at, type, (values as Readonly<Record<string, number>>)[field]!);
    at += BYTES[type];
  }
  return call;
}

/** The calls one after the other, ended. */
export function encodeProgram(calls: readonly KernelCall[]): Uint8Array {
  const program = new Uint8Array(calls.reduce((sum, call) => sum + call.length, HEADER_BYTES));
  let at = 0;
  for (const call of calls) {
    program.set(call, at);
    at += call.length;
  }
  return program;
}
