import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// The soak of tools/e2e: no test of `npm test`, because it takes as long as it is told.
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  ssr: { resolve: { conditions: ['@lunastream/source'] } },
  test: {
    include: ['tools/e2e/soak/*.soak.ts'],
    provide: { soakMinutes: Number(process.env.LUNASTREAM_SOAK_MINUTES) },
    testTimeout: 0,
    hookTimeout: 0,
  },
});
