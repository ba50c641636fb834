import { describe, expect, it } from 'vitest';
import { computesOnGpu, torchComparison } from './training-peers.ts';

const OWN = {
  ...{ engine: 'webgpu', device: 'NVIDIA H200, WebGPU (Dawn)', threads: 1 },
  ...{ samples_per_second: 6000, peak_rss_mb: 500 },
};
/** As train_torch.py prints them with --device cuda. */
const CUDA = JSON.parse(
  '{"version": "2.13.0+cu126", "device": "NVIDIA H200", "samples_per_second": 8000.0, ' +
    '"forward_samples_per_second": 24000.0, "peak_rss_mb": 2000.0}',
) as Record<string, number | string>;
const TF32 = { ...CUDA, samples_per_second: 12_000, forward_samples_per_second: 30_000 };

describe('torchComparison()', () => {
  it('compares with PyTorch on the same GPU, in float32 and with short products', () => {
    expect(torchComparison(OWN, CUDA, TF32)).toEqual({
      peer: 'PyTorch 2.13.0+cu126',
      peer_device: 'NVIDIA H200',
      peer_samples_per_second: 8000,
      peer_forward_samples_per_second: 24_000,
      peer_peak_rss_mb: 2000,
      ratio_to_peer: 0.75,
      peak_rss_ratio_to_peer: 0.25,
      peer_tf32_samples_per_second: 12_000,
      peer_tf32_forward_samples_per_second: 30_000,
      ratio_to_peer_tf32: 0.5,
    });
  });

  it('has no short products on a CPU', () => {
    const figures = torchComparison(OWN, { ...CUDA, device: 'cpu' });
    expect(Object.keys(figures).filter((name) => name.includes('tf32'))).toEqual([]);
    expect(figures['peer_device']).toBe('cpu');
  });

  it.each([undefined, 'fast', 0, Number.NaN])('refuses %s in place of a rate', (rate) => {
    const torch = { ...CUDA, samples_per_second: rate as number };
    expect(() => torchComparison(OWN, torch)).toThrow(
      `Cannot compare with PyTorch: samples_per_second must be a number above 0, got ${rate}`,
    );
  });
});

describe('computesOnGpu()', () => {
  it.each([
    ['webgpu', 'NVIDIA H200, WebGPU (Dawn)', true],
    ['webgpu', 'SwiftShader driver 5.0.0 (on the CPU), WebGPU (Dawn)', false],
    ['tensorflow', 'TensorFlow on a GPU, NVIDIA H200 (@tensorflow/tfjs-node-gpu)', true],
    ['tensorflow', 'TensorFlow on the CPU (@tensorflow/tfjs-node)', false],
    ['simd', 'WebAssembly SIMD, 2 threads', false],
  ])('tells of %s on %s', (engine, device, onGpu) => {
    expect(computesOnGpu({ engine, device })).toBe(onGpu);
  });
});
