import { describe, expect, it, vi } from 'vitest';
import { WEBGPU_FAULT } from '../testing/webgpu.ts';
import { loadWebgpu } from './load-webgpu.ts';
import { measureFloatCeiling } from './measure-ceiling.ts';

const SMALL = { threads: 1024, arrayBytes: 2 ** 16, leastMs: 1, measurements: 2 };

describe.skipIf(WEBGPU_FAULT !== undefined)(
  `measureFloatCeiling()${WEBGPU_FAULT === undefined ? '' : ` [skipped: ${WEBGPU_FAULT}]`}`,
  () => {
    it('finds rates above zero that no machine exceeds, by sums and copies that it checks', async () => {
      const { teraflops, gigabytesPerSecond } = await measureFloatCeiling(SMALL);
      expect(teraflops).toBeGreaterThan(0);
      expect(teraflops).toBeLessThan(10_000);
      expect(gigabytesPerSecond).toBeGreaterThan(0);
      expect(gigabytesPerSecond).toBeLessThan(1_000_000);
    });

    it.each([
      ['sum', 'term);', 'term + vec4<f32>(1.0));'],
      ['copy', 'vec4<u32>(1)', 'vec4<u32>(2)'],
    ])('refuses a device that gives a wrong %s', async (what, right, wrong) => {
      const { device } = (await loadWebgpu()).backend;
      const create = device.createShaderModule.bind(device);
      const spy = vi
        .spyOn(device, 'createShaderModule')
        .mockImplementation((descriptor) =>
          create({ ...descriptor, code: descriptor.code.replace(right, wrong) }),
        );
      await expect(measureFloatCeiling(SMALL)).rejects.toThrow(`internal: WebGPU gives`);
      await expect(measureFloatCeiling(SMALL)).rejects.toThrow(`as ${what} where`);
      spy.mockRestore();
    });
  },
);
