/**
 * The filter's gradient as a matrix product: rows are the filter's (a tap and an input channel each), columns output channels,
 * and what is summed runs over all positions of all samples. So long a sum is split among workgroups; what each gives is added
 * by a kernel of its own, always in the same order, so that equal inputs give equal bits.
 */
import type { GpuKernel } from './gpu-kernel.ts';
import {
  filterGradientTile,
  taps,
  tileRows,
  vec3,
  volume,
  type ConvolutionGeometry,
  type TileShape,
} from './convolution-geometry.ts';

export interface FilterGradientOptions {
  /** One more row: the gradient of a bias. */
  readonly bias?: boolean;
  /** As in `ConvolutionOptions`: `dy` counts only where `mask` is above zero. */
  readonly mask?: boolean;
  /** For one input channel: rows for `x` and for a second channel of ones (zero outside the input, as `x` is) in turn. */
  readonly ones?: boolean;
  readonly tile?: TileShape;
  /** Workgroups to split the work among. Default: 1024, several for each multiprocessor of an H200 (untuned). */
  readonly targetWorkgroups?: number;
}

/** Fewer positions are not worth a workgroup of their own. */
const FEWEST_POSITIONS = 256;
const TARGET_WORKGROUPS = 1024;

interface Plan extends FilterGradientOptions {
  readonly geometry: ConvolutionGeometry;
  readonly tile: TileShape;
  /** Input channels, the one of ones included. */
  readonly channels: number;
  /** Of the filter, and one of the bias. */
  readonly filterRows: number;
  readonly rows: number;
  readonly tileRows: number;
  readonly rowTiles: number;
  readonly columnTiles: number;
  readonly outputComponents: 1 | 4;
}

function plan(geometry: ConvolutionGeometry, options: FilterGradientOptions): Plan {
  const tile = options.tile ?? filterGradientTile(geometry.outputs);
  const channels = options.ones === true ? 2 : geometry.inputs;
  const filterRows = taps(geometry) * channels;
  const rows = filterRows + (options.bias === true ? 1 : 0);
  return {
    ...options,
    geometry,
    tile,
    channels,
    filterRows,
    rows,
    tileRows: tileRows(tile),
    rowTiles: Math.ceil(rows / tileRows(tile)),
    columnTiles: Math.ceil(geometry.outputs / tile.columns),
    outputComponents: geometry.outputs % 4 === 0 ? 4 : 1,
  };
}

/** Gathers four rows of `x` for this thread's position, or with other than whole fours of channels each of them alone. */
function loadRow(kernel: Plan): string {
  const { geometry, channels, filterRows, ones, bias } = kernel;
  const { filter, inputs } = geometry;
  const inFours = inputs % 4 === 0;
  const read = inFours
    ? `value = xAt(pixel * ${inputs / 4} + (row % ${inputs}) / 4);`
    : ones === true
      ? 'value[part] = select(1.0, xAt(pixel), row % 2 == 0);'
      : `value[part] = xAt(pixel * ${inputs} + row % ${inputs});`;
  return `
        for (var part = 0; part < ${inFours ? 1 : 4}; part++) {
          let row = rowStart + group * 4 + part;
          let tapIndex = row / ${channels};
          let at = corner + vec3<i32>(
            tapIndex / ${filter[1] * filter[2]}, (tapIndex / ${filter[2]}) % ${filter[1]}, tapIndex % ${filter[2]});
          if (row < ${filterRows} && all(at >= vec3<i32>(0)) && all(at < uniforms.inputSides)) {
            let pixel = ((sample * uniforms.inputSides.x + at.x) * uniforms.inputSides.y + at.y)
              * uniforms.inputSides.z + at.z;
            ${read}
          }
          ${bias === true ? `if (row == ${filterRows}) { value[part] = 1.0; }` : ''}
        }`;
}

function loadRows(kernel: Plan): string {
  const { tile, geometry } = kernel;
  const groups = kernel.tileRows / 4;
  return `
    let position = start + lane % ${tile.depth};
    let isPosition = position < end;
    let w = position % uniforms.outputSides.z;
    let h = (position / uniforms.outputSides.z) % uniforms.outputSides.y;
    let slice = position / (uniforms.outputSides.z * uniforms.outputSides.y);
    let sample = slice / uniforms.outputSides.x;
    let corner = vec3<i32>(slice % uniforms.outputSides.x, h, w) * ${vec3(geometry.strides)} - ${vec3(geometry.padding)};
    for (var group = lane / ${tile.depth}; group < ${groups}; group += ${tile.threads / tile.depth}) {
      var value = vec4<f32>(0.0);
      if (isPosition) {
${loadRow(kernel)}
      }
      tileRows[(lane % ${tile.depth}) * ${groups} + group] = value;
    }`;
}

function loadGradients({ tile, geometry, mask, outputComponents }: Plan): string {
  const { outputs } = geometry;
  const groups = tile.columns / 4;
  const zero = outputComponents === 4 ? 'vec4<f32>(0.0)' : '0.0';
  const read = mask === true ? `select(${zero}, dyAt(index), maskAt(index) > ${zero})` : 'dyAt(index)';
  const load =
    outputComponents === 4
      ? `if (column < ${outputs}) { let index = (at * ${outputs} + column) / 4; value = ${read}; }`
      : `for (var part = 0; part < 4; part++) {
          if (column + part < ${outputs}) { let index = at * ${outputs} + column + part; value[part] = ${read}; }
        }`;
  return `
    for (var item = lane; item < ${tile.depth * groups}; item += ${tile.threads}) {
      let at = start + item / ${groups};
      let column = columnStart + (item % ${groups}) * 4;
      var value = vec4<f32>(0.0);
      if (at < end) {
        ${load}
      }
      tileColumns[item] = value;
    }`;
}

const numbers = (count: number): number[] => [...Array(count).keys()];

/** A thread's rows come in fours, `rowThreads` fours apart. Its sums have names: so they stay in registers. */
function multiply({ tile, tileRows: rows }: Plan): string {
  const rowThreads = tile.threads / (tile.columns / tile.columnsPerThread);
  const vectors = numbers(tile.columnsPerThread / 4);
  const products = numbers(tile.rowsPerThread / 4).map((group) => {
    const sums = numbers(4).flatMap((part) =>
      vectors.map((vector) => {
        const sum = `sum${group * 4 + part}_${vector}`;
        return `${sum} = fma(vec4<f32>(values${group}[${part}]), column${vector}, ${sum});`;
      }),
    );
    return `
      let values${group} = tileRows[step * ${rows / 4} + ${group * rowThreads} + rowThread];
      ${sums.join(' ')}`;
  });
  return `
    for (var step = 0; step < ${tile.depth}; step++) {
      let columnsAt = step * ${tile.columns / 4} + columnThread * ${vectors.length};
      ${vectors.map((vector) => `let column${vector} = tileColumns[columnsAt + ${vector}];`).join(' ')}
${products.join('')}
    }`;
}

/** Four columns of a row's sums. */
function storing({ geometry, rows, outputComponents }: Plan): string {
  const { outputs } = geometry;
  const write =
    outputComponents === 4
      ? `if (column < ${outputs}) { result[(at * ${outputs} + column) / 4] = value; }`
      : `for (var lastPart = 0; lastPart < 4; lastPart++) {
    if (column + lastPart < ${outputs}) { result[at * ${outputs} + column + lastPart] = value[lastPart]; }
  }`;
  return `
fn finish(part: i32, row: i32, column: i32, value: vec4<f32>) {
  if (part >= uniforms.parts || row >= ${rows}) { return; }
  let at = part * ${rows} + row;
  ${write}
}`;
}

function filterGradientCode(kernel: Plan): string {
  const { tile, rowTiles, columnTiles } = kernel;
  const columnThreads = tile.columns / tile.columnsPerThread;
  const rowThreads = tile.threads / columnThreads;
  const sums = numbers(tile.rowsPerThread).flatMap((row) =>
    numbers(tile.columnsPerThread / 4).map((vector) => ({ row, vector })),
  );
  const finishes = sums.map(({ row, vector }) => {
    const of = `rowsFrom + ${Math.floor(row / 4) * rowThreads * 4 + (row % 4)}`;
    return `finish(part, ${of}, columnsFrom + ${4 * vector}, sum${row}_${vector});`;
  });
  return `
var<workgroup> tileRows: array<vec4<f32>, ${(tile.depth * kernel.tileRows) / 4}>;
var<workgroup> tileColumns: array<vec4<f32>, ${(tile.depth * tile.columns) / 4}>;
${storing(kernel)}
fn main(thread: i32) {
  let lane = laneIndex();
  let part = groupIndex() / ${rowTiles * columnTiles};
  let rowStart = ((groupIndex() / ${columnTiles}) % ${rowTiles}) * ${kernel.tileRows};
  let columnStart = (groupIndex() % ${columnTiles}) * ${tile.columns};
  let rowThread = lane / ${columnThreads};
  let columnThread = lane % ${columnThreads};
  let first = part * uniforms.positionsOfPart;
  let end = min(first + uniforms.positionsOfPart, uniforms.positions);
  ${sums.map(({ row, vector }) => `var sum${row}_${vector} = vec4<f32>(0.0);`).join(' ')}
  // The same number of rounds for all workgroups, as barriers want it.
  for (var round = 0; round < uniforms.positionsOfPart; round += ${tile.depth}) {
    let start = first + round;
${loadRows(kernel)}
${loadGradients(kernel)}
    workgroupBarrier();
${multiply(kernel)}
    workgroupBarrier();
  }
  let rowsFrom = rowStart + rowThread * 4;
  let columnsFrom = columnStart + columnThread * ${tile.columnsPerThread};
  ${finishes.join('\n  ')}
}`;
}

/**
 * Reads `x`, `dy` and with `mask` that; gives `[parts, rows, outputs]`, rows as `[depth, height, width, in]` of the filter and
 * then the bias, to be added by `partSumKernel`. The number of parts follows from the shapes alone.
 */
export function filterGradientKernel(
  geometry: ConvolutionGeometry,
  options: FilterGradientOptions = {},
): GpuKernel {
  const kernel = plan(geometry, options);
  const { tile, rows, rowTiles, columnTiles, outputComponents } = kernel;
  const { samples, input, output, filter, strides, padding, inputs, outputs } = geometry;
  const { bias, mask, ones, targetWorkgroups = TARGET_WORKGROUPS } = options;
  const positions = samples * volume(output);
  const wanted = Math.ceil(targetWorkgroups / (rowTiles * columnTiles));
  const perPart = Math.max(FEWEST_POSITIONS, Math.ceil(positions / wanted));
  const positionsOfPart = Math.ceil(Math.min(perPart, positions) / tile.depth) * tile.depth;
  const parts = Math.ceil(positions / positionsOfPart);
  const tileKey = [tile.threads, tile.rowsPerThread, tile.columnsPerThread, tile.columns, tile.depth];
  const flags = [bias, mask, ones].map((flag) => (flag === true ? 'y' : 'n')).join('');
  return {
    key: `conv3d-filter-${[...filter, ...strides, ...padding, inputs, outputs, ...tileKey].join()}-${flags}`,
    inputs: [
      ['x', inputs % 4 === 0 ? 4 : 1],
      ['dy', outputComponents],
      ...(mask === true ? ([['mask', outputComponents]] as const) : []),
    ],
    output: { shape: [parts, rows, outputs], components: outputComponents },
    uniforms: [
      { name: 'inputSides', type: 'int32', data: [...input] },
      { name: 'positions', type: 'int32', data: [positions] },
      { name: 'outputSides', type: 'int32', data: [...output] },
      { name: 'positionsOfPart', type: 'int32', data: [positionsOfPart] },
      { name: 'parts', type: 'int32', data: [parts] },
    ],
    threads: tile.threads,
    workgroups: parts * rowTiles * columnTiles,
    code: filterGradientCode(kernel),
  };
}

/** So many parts that a thread alone would wait long for each in turn: there a workgroup's threads share them. */
const PARTS_TO_SHARE = 128;
const SUM_THREADS = 64;

/** Adds `[parts, …]` along its first axis, always in the same order; gives `shape`. */
export function partSumKernel(parts: number, shape: readonly number[]): GpuKernel {
  const length = shape.reduce((product, side) => product * side, 1);
  const isShared = parts >= PARTS_TO_SHARE && length % 4 === 0;
  const elements = isShared ? length / 4 : length;
  const uniforms = { parts, elements };
  return {
    key: isShared ? 'part-sum-shared' : 'part-sum',
    inputs: [['terms', isShared ? 4 : 1]],
    output: { shape, components: isShared ? 4 : 1 },
    uniforms: Object.entries(uniforms).map(([name, value]) => ({ name, type: 'int32', data: [value] })),
    threads: SUM_THREADS,
    workgroups: isShared ? elements : Math.ceil(elements / SUM_THREADS),
    ...(isShared ? { groupSum: 'vec4<f32>', code: SHARED_PART_SUM } : { code: PART_SUM }),
  };
}

const PART_SUM = `
fn main(thread: i32) {
  if (thread >= uniforms.elements) { return; }
  var sum = 0.0;
  for (var part = 0; part < uniforms.parts; part++) { sum += terms[part * uniforms.elements + thread]; }
  result[thread] = sum;
}`;

const SHARED_PART_SUM = `
fn main(thread: i32) {
  let element = groupIndex();
  var sum = vec4<f32>(0.0);
  if (element < uniforms.elements) {
    for (var part = laneIndex(); part < uniforms.parts; part += ${SUM_THREADS}) {
      sum += terms[part * uniforms.elements + element];
    }
  }
  let total = sumOfGroup(sum);
  if (laneIndex() == 0 && element < uniforms.elements) { result[element] = total; }
}`;
