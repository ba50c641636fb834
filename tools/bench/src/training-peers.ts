import { runPeer, runTfjsPeer, type TfjsFigures } from './peer.ts';
import type { Figures } from './suite.ts';

/** The bare wasm backend takes a second and more for a sample: as many are enough. */
const WASM_BATCH = 4;
const WASM_ROUNDS = 2;

/** What the peers are compared with. */
export interface OwnFigures {
  readonly engine: string;
  readonly device: string;
  readonly samples_per_second: number;
  readonly threads: number;
  readonly peak_rss_mb: number;
}

/** What `peers/train_torch.py` prints. */
export type TorchFigures = Readonly<Record<string, number | string>>;

export interface PeerSettings {
  readonly chunk: string;
  readonly batch: number;
  readonly python: string;
}

/** Does the engine compute on a GPU, so that PyTorch is to do it too? */
export function computesOnGpu({ engine, device }: Pick<OwnFigures, 'engine' | 'device'>): boolean {
  if (engine === 'webgpu') return !device.includes('(on the CPU)');
  return engine === 'tensorflow' && device.includes('on a GPU');
}

/**
 * The same model in PyTorch on the same device, on a GPU in plain float32 and once more with TF32's short products, and in tfjs on
 * its wasm and its native backend: one after the other, on as many threads.
 */
export async function measurePeers(
  own: OwnFigures,
  { chunk, batch, python }: PeerSettings,
): Promise<Figures> {
  const shared = ['--chunk', chunk, '--threads', String(own.threads)];
  const args = [...shared, '--batch', String(batch)];
  const onGpu = computesOnGpu(own);
  const torchArgs = onGpu ? [...args, '--device', 'cuda'] : args;
  const torch = await runPeer('train_torch.py', { python, args: torchArgs });
  const tf32 = onGpu
    ? await runPeer('train_torch.py', { python, args: [...torchArgs, '--tf32'] })
    : undefined;
  const wasmBatch = Math.min(batch, WASM_BATCH);
  const wasmArgs = [...shared, '--batch', String(wasmBatch), '--rounds', String(WASM_ROUNDS)];
  const wasm = await runTfjsPeer(['--backend', 'wasm', ...wasmArgs]);
  const native = await runTfjsPeer(['--backend', 'tensorflow', ...args]);
  return {
    ...torchComparison(own, torch, tf32),
    tfjs_wasm_batch: wasmBatch,
    ...tfjsFigures('tfjs_wasm', own, wasm),
    ...tfjsFigures('tfjs_node', own, native),
  };
}

/** `torch` in float32, `tf32` where both ran on a GPU. */
export function torchComparison(own: OwnFigures, torch: TorchFigures, tf32?: TorchFigures): Figures {
  const rate = numberOf(torch, 'samples_per_second');
  const rssMb = numberOf(torch, 'peak_rss_mb');
  return {
    peer: `PyTorch ${torch['version']}`,
    peer_device: String(torch['device']),
    peer_samples_per_second: rate,
    peer_forward_samples_per_second: numberOf(torch, 'forward_samples_per_second'),
    peer_peak_rss_mb: rssMb,
    ratio_to_peer: own.samples_per_second / rate,
    peak_rss_ratio_to_peer: own.peak_rss_mb / rssMb,
    ...(tf32 === undefined ? {} : tf32Comparison(own, tf32)),
  };
}

function tf32Comparison(own: OwnFigures, tf32: TorchFigures): Figures {
  const rate = numberOf(tf32, 'samples_per_second');
  return {
    peer_tf32_samples_per_second: rate,
    peer_tf32_forward_samples_per_second: numberOf(tf32, 'forward_samples_per_second'),
    ratio_to_peer_tf32: own.samples_per_second / rate,
  };
}

/** @throws Error where the peer printed something else: a ratio to nothing would look like a figure. */
function numberOf(figures: TorchFigures, name: string): number {
  const value = figures[name];
  if (typeof value === 'number' && value > 0) return value;
  throw new Error(`Cannot compare with PyTorch: ${name} must be a number above 0, got ${value}`);
}

function tfjsFigures(name: string, own: OwnFigures, peer: TfjsFigures): Figures {
  if ('missing' in peer) return { [name]: `not measured: ${peer.missing}` };
  return {
    [`${name}_samples_per_second`]: peer.samples_per_second,
    [`${name}_peak_rss_mb`]: peer.peak_rss_mb,
    [`ratio_to_${name}`]: own.samples_per_second / peer.samples_per_second,
  };
}
