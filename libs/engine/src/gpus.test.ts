import { describe, expect, it } from 'vitest';
import { gpuNamed, listGpus } from './gpus.ts';

/** As nvidia-smi prints them: names and MiB. */
const TABLE = 'NVIDIA H200, 143771\nNVIDIA L4, 23034\nNVIDIA GB10, [N/A]\n';

describe('listGpus()', () => {
  it('tells name and memory of each GPU, but not of one that shares the memory of the machine', async () => {
    const asked: string[] = [];
    const gpus = await listGpus((program, args) => {
      asked.push([program, ...args].join(' '));
      return Promise.resolve(TABLE);
    });
    expect(asked).toEqual(['nvidia-smi --query-gpu=name,memory.total --format=csv,noheader,nounits']);
    expect(gpus).toEqual([
      { name: 'NVIDIA H200', memoryBytes: 143_771 * 2 ** 20 },
      { name: 'NVIDIA L4', memoryBytes: 23_034 * 2 ** 20 },
    ]);
  });

  it('tells of none where there is no tool, or it fails', async () => {
    expect(await listGpus(() => Promise.reject(new Error('spawn nvidia-smi ENOENT')))).toEqual([]);
    expect(await listGpus(() => Promise.resolve('NVIDIA-SMI has failed\n'))).toEqual([]);
  });
});

describe('gpuNamed()', () => {
  const [h200, l4] = [
    { name: 'NVIDIA H200', memoryBytes: 2 },
    { name: 'NVIDIA L4', memoryBytes: 1 },
  ];
  it('finds the GPU that a description names', () => {
    expect(gpuNamed('NVIDIA L4, WebGPU (Dawn)', [h200, l4])).toBe(l4);
    expect(gpuNamed('NVIDIA H200', [h200, { ...h200 }])).toBe(h200);
    expect(gpuNamed('SwiftShader driver 5.0.0 (on the CPU)', [h200, l4])).toBeUndefined();
    expect(gpuNamed('NVIDIA H200', [h200, { ...h200, memoryBytes: 3 }])).toBeUndefined();
  });
});
