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

/**
 * Gathers `depth` values of each row into workgroup memory. Loops of constant length over small arrays: drivers unroll them and
 * keep the arrays in registers, and those that compile for a CPU get little code.
 */
function loadRows({ tile, rows, rowsToLoad, components, geometry, mask, affine }: Plan): string {
  const { inputs, filter } = geometry;
  const zero = components === 4 ? 'vec4<f32>(0.0)' : '0.0';
  const behindBias = (taps(geometry) * inputs + 1) * geometry.outputs;
  const scaled = `weights[${behindBias}] * xAt(index) + weights[${behindBias + 1}]`;
  const read = affine === true ? scaled : 'xAt(index)';
  const taken = mask === true ? `select(${zero}, ${read}, maskAt(index) > ${zero})` : read;
  const store =
    components === 4
      ? `for (var part = 0; part < 4; part++) {
          tileRows[(step + part) * ${rows} + row * ${tile.threads} + lane] = value[part];
        }`
      : `tileRows[step * ${rows} + row * ${tile.threads} + lane] = value;`;
  return `
    for (var step = 0; step < ${tile.depth}; step += ${components}) {
      let tapIndex = (k + step) / ${inputs};
      let channel = ((k + step) % ${inputs}) / ${components};
      let isTap = tapIndex < ${volume(filter)};
      let tap = vec3<i32>(
        tapIndex / ${filter[1] * filter[2]}, (tapIndex / ${filter[2]}) % ${filter[1]}, tapIndex % ${filter[2]});
      for (var row = 0; row < ${rowsToLoad}; row++) {
        let at = corners[row] + tap;
        var value = ${zero};
        if (isTap && all(at >= vec3<i32>(0)) && all(at < uniforms.inputSides)) {
          let index = (((samples[row] * uniforms.inputSides.x + at.x) * uniforms.inputSides.y + at.y)
            * uniforms.inputSides.z + at.z) * ${inputs / components} + channel;
          value = ${taken};
        }
        ${store}
      }
    }`;
}

/** What is needed of each row that this thread gathers: once, before the sums. */
function findRows({ geometry, tile, rowsToLoad }: Plan): string {
  return `
  var corners: array<vec3<i32>, ${rowsToLoad}>;
  var samples: array<i32, ${rowsToLoad}>;
  for (var row = 0; row < ${rowsToLoad}; row++) {
    let position = rowStart + row * ${tile.threads} + lane;
    let w = position % uniforms.outputSides.z;
    let h = (position / uniforms.outputSides.z) % uniforms.outputSides.y;
    let slice = position / (uniforms.outputSides.z * uniforms.outputSides.y);
    samples[row] = slice / uniforms.outputSides.x;
    let corner = vec3<i32>(slice % uniforms.outputSides.x, h, w) * ${vec3(geometry.strides)} - ${vec3(geometry.padding)};
    // Rows beyond the last lie outside any input.
    corners[row] = select(vec3<i32>(-1000000), corner, position < uniforms.positions);
  }`;
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
  const vectors = tile.columnsPerThread / 4;
  return `
    for (var step = 0; step < ${tile.depth}; step++) {
      var columns: array<vec4<f32>, ${vectors}>;
      for (var vector = 0; vector < ${vectors}; vector++) {
        columns[vector] = tileColumns[step * ${tile.columns / 4} + columnThread * ${vectors} + vector];
      }
      for (var row = 0; row < ${tile.rowsPerThread}; row++) {
        let value = vec4<f32>(tileRows[step * ${rows} + row * ${rowThreads} + rowThread]);
        for (var vector = 0; vector < ${vectors}; vector++) {
          sums[row * ${vectors} + vector] = fma(value, columns[vector], sums[row * ${vectors} + vector]);
        }
      }
    }`;
}

function store(kernel: Plan): string {
  const { tile, columnThreads, geometry, outputComponents, bias, relu } = kernel;
  const rowThreads = tile.threads / columnThreads;
  const vectors = tile.columnsPerThread / 4;
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
  for (var row = 0; row < ${tile.rowsPerThread}; row++) {
    let position = rowStart + row * ${rowThreads} + rowThread;
    for (var vector = 0; vector < ${vectors}; vector++) {
      let column = columnStart + columnThread * ${tile.columnsPerThread} + vector * 4;
      var value = sums[row * ${vectors} + vector];
${bias === true ? add : ''}
${relu === true ? '      value = max(value, vec4<f32>(0.0));' : ''}
      if (position < uniforms.positions) { ${write} }
    }
  }`;
}

function convolutionCode(kernel: Plan): string {
  const { tile, rows, columnThreads, geometry } = kernel;
  const columnTiles = Math.ceil(geometry.outputs / tile.columns);
  return `
var<workgroup> tileRows: array<f32, ${tile.depth * rows}>;
var<workgroup> tileColumns: array<vec4<f32>, ${(tile.depth * tile.columns) / 4}>;
fn main(thread: i32) {
  let lane = laneIndex();
  let rowStart = (groupIndex() / ${columnTiles}) * ${rows};
  let columnStart = (groupIndex() % ${columnTiles}) * ${tile.columns};
  let rowThread = lane / ${columnThreads};
  let columnThread = lane % ${columnThreads};
${findRows(kernel)}
  var sums: array<vec4<f32>, ${(tile.rowsPerThread * tile.columnsPerThread) / 4}>;
  for (var k = 0; k < ${taps(geometry) * geometry.inputs}; k += ${tile.depth}) {
${loadRows(kernel)}
${loadWeights(kernel)}
    workgroupBarrier();
${multiply(kernel)}
    workgroupBarrier();
  }
${store(kernel)}
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
