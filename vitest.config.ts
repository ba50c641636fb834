import { defineConfig } from 'vitest/config';

// One configuration for every project. Workspace packages resolve to their sources, so unit tests need no build;
// tools/e2e starts the built services and therefore runs after `npm run setup`.
export default defineConfig({
  // Vitest hands these to Node as --conditions: anything more ("import", say) would break CommonJS packages.
  ssr: { resolve: { conditions: ['@lunastream/source'] } },
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // Limits for what hangs, not for what is slow: machines are shared, and nothing that a test asserts is a time.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
