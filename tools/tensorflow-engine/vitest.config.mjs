import { join } from 'node:path';
import { mergeConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

// The engine's suites with the module that test.mjs built, which lies outside the repository.
const modules = process.env.LUNASTREAM_TENSORFLOW_MODULES;
export default mergeConfig(base, {
  resolve: { alias: { '@tensorflow/tfjs-node': join(modules, '@tensorflow/tfjs-node') } },
});
