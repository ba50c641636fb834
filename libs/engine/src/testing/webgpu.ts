/** For tests only. */
import { loadWebgpu } from '../webgpu/load-webgpu.ts';

/** Why the webgpu engine does not start here. Without a GPU it runs on SwiftShader, where that is installed (vitest.config.ts). */
export const WEBGPU_FAULT: string | undefined = await loadWebgpu().then(
  () => undefined,
  (error: unknown) => (error as Error).message,
);
