import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { trainWithEngine, withTrainer } from './one-container.mjs';
import { assert } from './programs.mjs';
import { giveToUser, lunastream, withScratch } from './scratch.mjs';

const TARGET = 'trainer-webgpu';
/** SwiftShader, a Vulkan driver that computes on the CPU, of Debian's package chromium: stands for a GPU's driver. */
const DRIVER = '/usr/lib/chromium';
const DRIVER_FILES = ['vk_swiftshader_icd.json', 'libvk_swiftshader.so'];

/**
 * The trainer's image for GPUs, on a machine without one: with a driver from the machine it trains, as with a GPU's; without
 * it says what is missing, and `auto` takes the CPU.
 */
export function trainWithWebgpu() {
  return withScratch(async ({ data, runs: folder }) => {
    const runsOf = async (name) => {
      const runs = join(folder, name);
      await mkdir(runs);
      await giveToUser(runs);
      return runs;
    };
    const found = await withTrainer(TARGET, { data, runs: await runsOf('none') }, withoutDriver(folder));
    const missing = DRIVER_FILES.filter((name) => !existsSync(join(DRIVER, name)));
    if (missing.length > 0)
      return [...found, `training skipped: ${DRIVER} has no ${missing.join(' and no ')}`];
    const runs = await runsOf('swiftshader');
    const engine = await withTrainer(
      TARGET,
      { data, runs },
      (address) => trainWithEngine(address, runs, 'webgpu'),
      driverOfMachine(),
    );
    assert(engine.name === 'webgpu', `the run must be by webgpu, got ${engine.name}`);
    return [...found, `${engine.name}: ${engine.device}`];
  });
}

/** The driver as NVIDIA's container toolkit brings one: files of the machine, and where Vulkan's loader finds them. */
function driverOfMachine() {
  return {
    environment: { VK_DRIVER_FILES: `/driver/${DRIVER_FILES[0]}` },
    mounts: DRIVER_FILES.map((name) => `${join(DRIVER, name)}:/driver/${name}:ro`),
  };
}

const withoutDriver = (folder) => async (address) => {
  const { name, reason } = await trainWithEngine(address, join(folder, 'none'), 'auto');
  assert(name === 'simd' && /not webgpu: /.test(reason), `auto must take simd, got ${name}: ${reason}`);
  const refusal = await lunastream('train', '--trainer', address, '--engine', 'webgpu', '--quiet').then(
    () => 'a run',
    (error) => error.cause.stderr.trim(),
  );
  assert(
    /^lunastream: Cannot start engine webgpu: no GPU answers .*libvulkan1\)$/.test(refusal),
    `without a driver webgpu must be refused in a sentence, got ${refusal}`,
  );
  return [`without a driver: ${refusal.split('\n').at(-1)}`, `auto: ${name}`];
};
