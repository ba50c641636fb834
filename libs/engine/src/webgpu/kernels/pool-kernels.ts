/** 3-D max pools, NDHWC, and the gradient of those whose windows do not overlap. */
import type { GpuKernel, KernelUniform, Storage } from './gpu-kernel.ts';
import { volume, type Sides } from './convolution-geometry.ts';

export interface PoolGeometry {
  readonly samples: number;
  readonly input: Sides;
  readonly output: Sides;
  readonly window: Sides;
  readonly strides: Sides;
  readonly padding: Sides;
  readonly channels: number;
}

const THREADS = 64;

function poolUniforms({ input, output, window, strides, padding }: PoolGeometry): KernelUniform[] {
  const sides = { input, output, window, strides, padding };
  return Object.entries(sides).map(([name, data]) => ({ name, type: 'int32', data: [...data] }));
}

/** Largest value of each window; reads `x`. `storage` is that of the result. */
export function maxPoolKernel(geometry: PoolGeometry, storage: Storage = 'float32'): GpuKernel {
  const { samples, output, channels } = geometry;
  const components = channels % 4 === 0 ? 4 : 1;
  const kind = components === 4 ? 'vec4<f32>' : 'f32';
  const groups = channels / components;
  const count = samples * volume(output) * groups;
  return {
    key: `max-pool-${components}`,
    inputs: [['x', components]],
    output: { shape: [samples, ...output, channels], components, storage },
    uniforms: [
      ...poolUniforms(geometry),
      { name: 'groups', type: 'int32', data: [groups] },
      { name: 'count', type: 'int32', data: [count] },
    ],
    threads: THREADS,
    workgroups: Math.ceil(count / THREADS),
    code: `
fn main(thread: i32) {
  if (thread >= uniforms.count) { return; }
  let group = thread % uniforms.groups;
  let position = thread / uniforms.groups;
  let w = position % uniforms.output.z;
  let h = (position / uniforms.output.z) % uniforms.output.y;
  let slice = position / (uniforms.output.z * uniforms.output.y);
  let corner = vec3<i32>(slice % uniforms.output.x, h, w) * uniforms.strides - uniforms.padding;
  let first = max(corner, vec3<i32>(0));
  let end = min(corner + uniforms.window, uniforms.input);
  let base = (slice / uniforms.output.x) * uniforms.input.x;
  var largest = xAt((((base + first.x) * uniforms.input.y + first.y) * uniforms.input.z + first.z) * uniforms.groups + group);
  for (var d = first.x; d < end.x; d++) {
    for (var i = first.y; i < end.y; i++) {
      for (var j = first.z; j < end.z; j++) {
        let value = xAt((((base + d) * uniforms.input.y + i) * uniforms.input.z + j) * uniforms.groups + group);
        largest = select(largest, value, value > largest);
      }
    }
  }
  setResult(thread, ${kind}(largest));
}`,
  };
}

/** Do windows lie side by side, none beyond the input? */
export function hasSeparateWindows({ window, strides, padding }: PoolGeometry): boolean {
  return window.every((side, axis) => side === strides[axis] && padding[axis] === 0);
}

function gradientCode(components: 1 | 4): string {
  const zero = components === 4 ? 'vec4<f32>(0.0)' : '0.0';
  const one = components === 4 ? 'vec4<f32>(1.0)' : '1.0';
  return `
fn main(thread: i32) {
  if (thread >= uniforms.count) { return; }
  let group = thread % uniforms.groups;
  let position = thread / uniforms.groups;
  let w = position % uniforms.windows.z;
  let h = (position / uniforms.windows.z) % uniforms.windows.y;
  let slice = position / (uniforms.windows.z * uniforms.windows.y);
  let at = vec3<i32>(slice % uniforms.windows.x, h, w);
  let sample = slice / uniforms.windows.x;
  let first = at * uniforms.window;
  let end = min(first + uniforms.window, uniforms.input);
  let isWhole = all(at < uniforms.output);
  let base = sample * uniforms.input.x;
  var gradient = ${zero};
  var largest = ${zero};
  if (isWhole) {
    gradient = dy[(((sample * uniforms.output.x + at.x) * uniforms.output.y + at.y) * uniforms.output.z + at.z) * uniforms.groups + group];
    largest = xAt((((base + first.x) * uniforms.input.y + first.y) * uniforms.input.z + first.z) * uniforms.groups + group);
    for (var d = first.x; d < end.x; d++) {
      for (var i = first.y; i < end.y; i++) {
        for (var j = first.z; j < end.z; j++) {
          largest = max(largest, xAt((((base + d) * uniforms.input.y + i) * uniforms.input.z + j) * uniforms.groups + group));
        }
      }
    }
  }
  // 1 until the first of equals has taken it.
  var open = ${one};
  for (var d = first.x; d < end.x; d++) {
    for (var i = first.y; i < end.y; i++) {
      for (var j = first.z; j < end.z; j++) {
        let index = (((base + d) * uniforms.input.y + i) * uniforms.input.z + j) * uniforms.groups + group;
        let takes = select(${zero}, open, xAt(index) == largest);
        open -= takes;
        result[index] = takes * gradient;
      }
    }
  }
}`;
}

/**
 * Each output's gradient goes to the first of its window's largest inputs. Reads `x` and `dy`. A thread writes one window,
 * and what windows leave out at the far ends it fills with zeros.
 */
export function maxPoolGradientKernel(geometry: PoolGeometry): GpuKernel {
  if (!hasSeparateWindows(geometry)) throw new Error('internal: windows of this pool overlap');
  const { samples, input, window, channels } = geometry;
  const components = channels % 4 === 0 ? 4 : 1;
  const groups = channels / components;
  const [depth, height, width] = input.map((side, axis) => Math.ceil(side / window[axis]!));
  const count = samples * depth! * height! * width! * groups;
  return {
    key: `max-pool-gradient-${components}`,
    inputs: [
      ['x', components],
      ['dy', components],
    ],
    output: { shape: [samples, ...input, channels], components },
    uniforms: [
      ...poolUniforms(geometry),
      { name: 'windows', type: 'int32', data: [depth!, height!, width!] },
      { name: 'groups', type: 'int32', data: [groups] },
      { name: 'count', type: 'int32', data: [count] },
    ],
    threads: THREADS,
    workgroups: Math.ceil(count / THREADS),
    code: gradientCode(components),
  };
}
