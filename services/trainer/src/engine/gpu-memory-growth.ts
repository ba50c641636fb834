/**
 * Lets TensorFlow take a GPU's memory as it needs it, instead of all of it at once: others may compute there too. The variable is
 * TensorFlow's own, is read when its library loads, and what the user set it to stays.
 */
export function growGpuMemory(environment: Record<string, string | undefined>): void {
  environment['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
}
