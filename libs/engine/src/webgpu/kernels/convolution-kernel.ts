/**
 * 3-D convolution as an implicit matrix product: rows are output positions, columns output channels, and what is summed runs
 * over taps and input channels. No unfolded copy of the input exists; a workgroup gathers its rows into its own memory.
 */
import type { GpuKernel, Storage } from './gpu-kernel.ts';
import {
  convolutionTile,
  taps,
  tileRows,
  vec3,
  volume,
  type ConvolutionGeometry,
  type TileShape,
} from './convolution-geometry.ts';

export interface ConvolutionOptions {
  /** Reads a bias per output channel, which lies behind the filter in the same array, and adds it. */
  readonly bias?: boolean;
  readonly relu?: boolean;
  /**
   * For one input channel: what is convolved is `scale * x + shift`, with zeros around it. Both lie behind the bias in
   * `weights`, which has one.
   */
  readonly affine?: boolean;
  /** `x` counts only where `mask` (an array like `x`) is above zero: the gradient before a ReLU whose output is `mask`. */
  readonly mask?: boolean;
  /**
   * The filter is that of the convolution whose input gradient this is: taken from its end to its start, input and output
   * channels exchanged.
   */
  readonly mirrored?: boolean;
  /** Of the result; `x` and `mask` are read as they come. Default: float32. */
  readonly storage?: Storage;
  readonly tile?: TileShape;
}

interface Plan extends ConvolutionOptions {
  readonly geometry: ConvolutionGeometry;
  readonly tile: TileShape;
  readonly rows: number;
  readonly columnThreads: number;
  /** Rows whose inputs a thread gathers. */
  readonly rowsToLoad: number;
  /** Channels that it gathers at once. */
  readonly components: 1 | 4;
  readonly outputComponents: 1 | 4;
}

function plan(geometry: ConvolutionGeometry, options: ConvolutionOptions): Plan {
  const tile = options.tile ?? convolutionTile(geometry.outputs, geometry.samples * volume(geometry.output));
  const rows = tileRows(tile);
  return {
    ...options,
    geometry,
    tile,
    rows,
    columnThreads: tile.columns / tile.columnsPerThread,
    rowsToLoad: rows / tile.threads,
    components: geometry.inputs % 4 === 0 ? 4 : 1,
    outputComponents: geometry.outputs % 4 === 0 ? 4 : 1,
  };
}

const numbers = (count: number): number[] => [...Array(count).keys()];
const valueType = (components: 1 | 4) => (components === 4 ? 'vec4<f32>' : 'f32');

/** A row's inputs for one tap, zero outside. */
function gather({ components, geometry, mask, affine }: Plan): string {
  const { inputs } = geometry;
  const zero = components === 4 ? 'vec4<f32>(0.0)' : '0.0';
  const behindBias = (taps(geometry) * inputs + 1) * geometry.outputs;
  const scaled = `weights[${behindBias}] * xAt(index) + weights[${behindBias + 1}]`;
  const read = affine === true ? scaled : 'xAt(index)';
  const taken = mask === true ? `select(${zero}, ${read}, maskAt(index) > ${zero})` : read;
  return `
fn gather(at: vec3<i32>, sample: i32, channel: i32) -> ${valueType(components)} {
  if (any(at < vec3<i32>(0)) || any(at >= uniforms.inputSides)) { return ${zero}; }
  let index = (((sample * uniforms.inputSides.x + at.x) * uniforms.inputSides.y + at.y)
    * uniforms.inputSides.z + at.z) * ${inputs / components} + channel;
  return ${taken};
}`;
}

/**
 * Gathers `depth` values of each row into workgroup memory. What a thread keeps has names, not places in an array: so it stays
 * in registers whatever the driver makes of loops.
 */
function loadRows({ tile, rows, rowsToLoad, components, geometry }: Plan): string {
  const { inputs, filter } = geometry;
  const loads = numbers(rowsToLoad).map((row) => {
    const at = `row + ${row * tile.threads}`;
    const store =
      components === 4
        ? numbers(4).map((part) => `tileRows[${at} + ${part * rows}] = value${row}[${part}];`)
        : [`tileRows[${at}] = value${row};`];
    return `
      let value${row} = gather(corner${row} + tap, sample${row}, channel);
      ${store.join(' ')}`;
  });
  return `
    for (var step = 0; step < ${tile.depth}; step += ${components}) {
      let tapIndex = (k + step) / ${inputs};
      let channel = ((k + step) % ${inputs}) / ${components};
      // Beyond the last tap lies no input.
      let tap = select(
        vec3<i32>(-1000000),
        vec3<i32>(tapIndex / ${filter[1] * filter[2]}, (tapIndex / ${filter[2]}) % ${filter[1]}, tapIndex % ${filter[2]}),
        tapIndex < ${volume(filter)});
      let row = step * ${rows} + lane;
${loads.join('')}
    }`;
}

/** What is needed of each row that this thread gathers: once, before the sums. */
function findRows({ geometry, tile, rowsToLoad }: Plan): string {
  const rows = numbers(rowsToLoad).map(
    (row) => `
  let position${row} = rowStart + ${row * tile.threads} + lane;
  let w${row} = position${row} % uniforms.outputSides.z;
  let h${row} = (position${row} / uniforms.outputSides.z) % uniforms.outputSides.y;
  let slice${row} = position${row} / (uniforms.outputSides.z * uniforms.outputSides.y);
  let sample${row} = slice${row} / uniforms.outputSides.x;
  // Rows beyond the last lie outside any input.
  let corner${row} = select(
    vec3<i32>(-1000000),
    vec3<i32>(slice${row} % uniforms.outputSides.x, h${row}, w${row}) * ${vec3(geometry.strides)} - ${vec3(geometry.padding)},
    position${row} < uniforms.positions);`,
  );
  return rows.join('');
}

/** Where the weight for row k of the sum and an output channel lies. */
function weightIndex({ geometry, mirrored }: Plan): string {
  const { inputs, outputs } = geometry;
  if (mirrored !== true) return `row * ${outputs} + column`;
  const last = taps(geometry) - 1;
  return `((${last} - row / ${inputs}) * ${outputs} + column) * ${inputs} + row % ${inputs}`;
}

function loadWeights(kernel: Plan): string {
  const { tile, geometry } = kernel;
  const groups = tile.columns / 4;
  const sums = taps(geometry) * geometry.inputs;
  return `
    for (var item = lane; item < ${tile.depth * groups}; item += ${tile.threads}) {
      let row = k + item / ${groups};
      let firstColumn = columnStart + (item % ${groups}) * 4;
      var value = vec4<f32>(0.0);
      for (var part = 0; part < 4; part++) {
        let column = firstColumn + part;
        if (row < ${sums} && column < ${geometry.outputs}) { value[part] = weights[${weightIndex(kernel)}]; }
      }
      tileColumns[item] = value;
    }`;
}

/** Rows of a thread are `rowThreads` apart: neighbours read neighbouring values. */
function multiply({ tile, rows, columnThreads }: Plan): string {
  const rowThreads = tile.threads / columnThreads;
  const vectors = numbers(tile.columnsPerThread / 4);
  const products = numbers(tile.rowsPerThread).map((row) => {
    const sums = vectors.map(
      (vector) => `sum${row}_${vector} = fma(value${row}, column${vector}, sum${row}_${vector});`,
    );
    return `
      let value${row} = vec4<f32>(tileRows[step * ${rows} + ${row * rowThreads} + rowThread]);
      ${sums.join(' ')}`;
  });
  return `
    for (var step = 0; step < ${tile.depth}; step++) {
      let columnsAt = step * ${tile.columns / 4} + columnThread * ${vectors.length};
      ${vectors.map((vector) => `let column${vector} = tileColumns[columnsAt + ${vector}];`).join(' ')}
${products.join('')}
    }`;
}

/** Four columns of a row's sums, finished. */
function storing({ geometry, outputComponents, bias, relu }: Plan): string {
  const { outputs } = geometry;
  const biasStart = taps(geometry) * geometry.inputs * outputs;
  const add = `
  for (var part = 0; part < 4; part++) {
    if (column + part < ${outputs}) { value[part] += weights[${biasStart} + column + part]; }
  }`;
  const write =
    outputComponents === 4
      ? `if (column < ${outputs}) { setResult((position * ${outputs} + column) / 4, value); }`
      : `for (var part = 0; part < 4; part++) {
    if (column + part < ${outputs}) { setResult(position * ${outputs} + column + part, value[part]); }
  }`;
  return `
fn finish(position: i32, column: i32, sum: vec4<f32>) {
  if (position >= uniforms.positions) { return; }
  var value = sum;
${bias === true ? add : ''}
${relu === true ? '  value = max(value, vec4<f32>(0.0));' : ''}
  ${write}
}`;
}

function convolutionCode(kernel: Plan): string {
  const { tile, rows, columnThreads, geometry } = kernel;
  const columnTiles = Math.ceil(geometry.outputs / tile.columns);
  const rowThreads = tile.threads / columnThreads;
  const sums = numbers(tile.rowsPerThread).flatMap((row) =>
    numbers(tile.columnsPerThread / 4).map((vector) => ({ row, vector })),
  );
  const finishes = sums.map(
    ({ row, vector }) =>
      `finish(rowStart + ${row * rowThreads} + rowThread, columnsFrom + ${4 * vector}, sum${row}_${vector});`,
  );
  return `
var<workgroup> tileRows: array<f32, ${tile.depth * rows}>;
var<workgroup> tileColumns: array<vec4<f32>, ${(tile.depth * tile.columns) / 4}>;
${gather(kernel)}
${storing(kernel)}
fn main(thread: i32) {
  let lane = laneIndex();
  let rowStart = (groupIndex() / ${columnTiles}) * ${rows};
  let columnStart = (groupIndex() % ${columnTiles}) * ${tile.columns};
  let rowThread = lane / ${columnThreads};
  let columnThread = lane % ${columnThreads};
${findRows(kernel)}
  ${sums.map(({ row, vector }) => `var sum${row}_${vector} = vec4<f32>(0.0);`).join(' ')}
  for (var k = 0; k < ${taps(geometry) * geometry.inputs}; k += ${tile.depth}) {
${loadRows(kernel)}
${loadWeights(kernel)}
    workgroupBarrier();
${multiply(kernel)}
    workgroupBarrier();
  }
  let columnsFrom = columnStart + columnThread * ${tile.columnsPerThread};
  ${finishes.join('\n  ')}
}`;
}

const yesOrNo = (...flags: readonly (boolean | undefined)[]) =>
  flags.map((flag) => (flag === true ? 'y' : 'n')).join('');

/**
 * Reads `x`, `weights` (filter, then bias), and with `mask` that. Each output's sum has an order of its own, which no other
 * sample or tile changes.
 */
export function convolutionKernel(
  geometry: ConvolutionGeometry,
  options: ConvolutionOptions = {},
): GpuKernel {
  const kernel = plan(geometry, options);
  const { tile, rows, components, outputComponents } = kernel;
  const { samples, input, output, filter, strides, padding, inputs, outputs } = geometry;
  const positions = samples * volume(output);
  const { bias, relu, affine, mask, mirrored, storage = 'float32' } = options;
  const tileKey = [tile.threads, tile.rowsPerThread, tile.columnsPerThread, tile.columns, tile.depth];
  return {
    key: `conv3d-${[...filter, ...strides, ...padding, inputs, outputs, ...tileKey].join()}-${yesOrNo(bias, relu, affine, mask, mirrored)}`,
    inputs: [['x', components], ['weights', 1], ...(mask === true ? ([['mask', components]] as const) : [])],
    output: { shape: [samples, ...output, outputs], components: outputComponents, storage },
    uniforms: [
      { name: 'inputSides', type: 'int32', data: [...input] },
      { name: 'positions', type: 'int32', data: [positions] },
      { name: 'outputSides', type: 'int32', data: [...output] },
    ],
    threads: tile.threads,
    workgroups: Math.ceil(positions / rows) * Math.ceil(outputs / tile.columns),
    code: convolutionCode(kernel),
  };
}

/** Gradient of the input of a convolution with strides of 1; a convolution of the output's gradient itself. */
export function inputGradientKernel(
  geometry: ConvolutionGeometry,
  options: Pick<ConvolutionOptions, 'mask' | 'tile'> = {},
): GpuKernel {
  const { samples, input, output, filter, padding, strides, inputs, outputs } = geometry;
  if (strides.some((stride) => stride !== 1)) throw new Error('internal: input gradients need strides of 1');
  const [depth, height, width] = filter.map((side, axis) => side - 1 - padding[axis]!);
  const mirrored: ConvolutionGeometry = {
    samples,
    input: output,
    output: input,
    filter,
    strides,
    padding: [depth!, height!, width!],
    inputs: outputs,
    outputs: inputs,
  };
  return convolutionKernel(mirrored, { ...options, mirrored: true });
}
