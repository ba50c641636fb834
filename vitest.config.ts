import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

// Chromium's Debian package brings SwiftShader, a Vulkan driver that computes on the CPU. Added to the machine's own drivers,
// it lets the webgpu engine's suites run where there is no GPU; `--engine auto` never takes it. Where no GPU is at all it is the
// only driver: Mesa's, which Dawn refuses, would write on standard error, as does Mesa's layer that looks for a screen.
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const hasGpu = ['/dev/dri', '/dev/nvidiactl', '/dev/dxg'].some((device) => existsSync(device));
const vulkan = existsSync(SWIFTSHADER)
  ? { [hasGpu ? 'VK_ADD_DRIVER_FILES' : 'VK_DRIVER_FILES']: SWIFTSHADER, NODEVICE_SELECT: '1' }
  : {};

// One configuration for every project. Workspace packages resolve to their sources, so unit tests need no build;
// tools/e2e starts the built services and therefore runs after `npm run setup`.
export default defineConfig({
  // Vitest hands these to Node as --conditions: anything more ("import", say) would break CommonJS packages.
  ssr: { resolve: { conditions: ['@lunastream/source'] } },
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    env: vulkan,
    // Limits for what hangs, not for what is slow: machines are shared, and nothing that a test asserts is a time.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
