// `npm run test:soak -- 30`: sets up, then does everything to a running system for that many minutes (10 unless said).
import { fileURLToPath } from 'node:url';
import { installed, run, say } from './process.mjs';
import { setUp } from './setup.mjs';

const DEFAULT_MINUTES = 10;
const minutes = Number(process.argv[2] ?? DEFAULT_MINUTES);
if (!(minutes > 0)) {
  say(`Cannot soak: minutes must be a number above 0, got ${process.argv[2]}`);
  process.exit(2);
}
await setUp();
const config = fileURLToPath(new URL('./soak.config.mjs', import.meta.url));
const env = { ...process.env, LUNASTREAM_SOAK_MINUTES: String(minutes) };
const { code } = await run(process.execPath, [installed('vitest/vitest.mjs'), 'run', '--config', config], {
  env,
});
process.exitCode = code;
