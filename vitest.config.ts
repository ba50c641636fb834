import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

// Chromium's Debian package brings SwiftShader, a Vulkan driver that computes on the CPU. Added to the machine's own drivers,
// it lets the webgpu engine's suites run where there is no GPU; `--engine auto` never takes it.
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

// One configuration for every project. Workspace packages resolve to their sources, so unit tests need no build;
// tools/e2e starts the built services and therefore runs after `npm run setup`.
export default defineConfig({
  // Vitest hands these to Node as --conditions: anything more ("import", say) would break CommonJS packages.
  ssr: { resolve: { conditions: ['@lunastream/source'] } },
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    env: existsSync(SWIFTSHADER) ? { VK_ADD_DRIVER_FILES: SWIFTSHADER } : {},
    // Limits for what hangs, not for what is slow: machines are shared, and nothing that a test asserts is a time.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
