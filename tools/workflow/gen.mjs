// `npm run gen`: generates the wire types and the descriptor set from proto/, then documents, dashboards and rules from the
// registry of instruments. `--out FOLDER` writes the first two elsewhere, for the test that compares with what is committed.
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { installed, root, run } from './process.mjs';
import { setUp } from './setup.mjs';

const outFlag = process.argv.indexOf('--out');
const contracts = outFlag === -1 ? join(root, 'libs/contracts') : resolve(process.argv[outFlag + 1]);
const buf = installed('.bin/buf');
const env = { ...process.env, PATH: `${installed('.bin')}:${process.env.PATH}` };

async function generate(args) {
  const { code } = await run(buf, args, { env });
  if (code !== 0) process.exit(code);
}

if (outFlag === -1) rmSync(join(contracts, 'src/generated'), { recursive: true, force: true });
mkdirSync(join(contracts, 'src/generated'), { recursive: true });
await generate([
  'generate',
  'proto',
  '--template',
  'proto/buf.gen.yaml',
  '--output',
  join(contracts, 'src/generated'),
]);
await generate([
  'build',
  'proto',
  '--exclude-source-info',
  '--output',
  join(contracts, 'descriptor-set.binpb'),
]);

if (outFlag === -1) {
  await setUp();
  const { code } = await run(process.execPath, [join(root, 'tools/dashboards/dist/src/main.js')]);
  process.exitCode = code;
}
