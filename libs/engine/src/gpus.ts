import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A GPU as its driver's tool tells of it. */
export interface Gpu {
  readonly name: string;
  readonly memoryBytes: number;
}

/** Runs a program and gives what it prints; rejects where it is missing or fails. Tests give their own. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string>;

const TIMEOUT_MS = 10_000;
const MEBIBYTE = 2 ** 20;

const runProgram: RunProgram = async (program, args) =>
  (await promisify(execFile)(program, [...args], { timeout: TIMEOUT_MS })).stdout;

/**
 * NVIDIA's GPUs, in the driver's order; none where its tool is missing. Neither WebGPU nor tfjs tells how much memory a GPU has, and
 * tfjs not even its name.
 */
export async function listGpus(run = runProgram): Promise<Gpu[]> {
  const query = ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits'];
  const table = await run('nvidia-smi', query).catch(() => '');
  return table.split('\n').flatMap((line) => {
    const [name, mebibytes] = line.split(',').map((cell) => cell.trim());
    const memoryBytes = Number(mebibytes) * MEBIBYTE;
    return name !== undefined && memoryBytes > 0 ? [{ name, memoryBytes }] : [];
  });
}

/** The one that `description` names; undefined where none does, or where those that do differ. */
export function gpuNamed(description: string, gpus: readonly Gpu[]): Gpu | undefined {
  const named = gpus.filter(({ name }) => description.includes(name));
  const [first] = named;
  return named.every(({ memoryBytes }) => memoryBytes === first?.memoryBytes) ? first : undefined;
}
