import { readdirSync } from 'node:fs';

/** NVIDIA's driver, any driver of the kernel's own, Windows's GPU in its Linux subsystem. */
const DEVICE = /^(?:nvidia\d+|dri|dxg)$/;

/**
 * What of /dev is a GPU. Elsewhere than on Linux nothing is known before asking: one unnamed device. To ask Dawn costs a tenth of a
 * second, and drivers print what they think on standard error.
 */
export function gpuDevices(
  names: () => readonly string[] = () => readdirSync('/dev'),
  system = process.platform,
): string[] {
  if (system !== 'linux') return ['unknown'];
  return names().filter((name) => DEVICE.test(name));
}
