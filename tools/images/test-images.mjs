// Builds the images and trains with them: `npm run test:images`. Not part of CI: it needs a machine that builds images
// (container-host.sh) and npm's registry.
import { say } from '../workflow/process.mjs';
import { buildImages, inspectImages } from './build-images.mjs';
import { trainWithCompose } from './compose-stack.mjs';
import { trainWithKube } from './kube-stack.mjs';
import { trainWithContainers } from './container-stack.mjs';
import { leftovers } from './leftovers.mjs';
import { assertPrograms } from './programs.mjs';
import { trainWithTensorflow } from './tensorflow-image.mjs';
import { trainWithWebgpu } from './webgpu-image.mjs';

/** Each resolves with lines for the summary, or with none, and rejects where what it shows does not hold. */
const STEPS = {
  build: { needs: ['buildah', 'npm'], run: buildImages },
  inspect: { needs: ['podman'], run: inspectImages },
  stack: { needs: ['podman'], run: trainWithContainers },
  compose: { needs: ['podman', 'podman-compose'], run: trainWithCompose },
  kube: { needs: ['podman', 'kubectl'], run: trainWithKube },
  webgpu: { needs: ['podman'], run: trainWithWebgpu },
  tensorflow: { needs: ['buildah', 'podman'], run: trainWithTensorflow },
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(STEPS, name));
if (unknown.length > 0) {
  say(`Cannot test images: steps are ${Object.keys(STEPS).join(', ')}, got ${unknown.join(', ')}`);
  process.exit(2);
}
const steps = Object.entries(STEPS).filter(([name]) => asked.length === 0 || asked.includes(name));
for (const [, { needs }] of steps) await assertPrograms(needs);
const before = await leftovers();
const startMs = performance.now();
const summary = [];
let failed;
for (const [name, { run }] of steps) {
  const stepMs = performance.now();
  let found = [];
  try {
    found = (await run()) ?? [];
  } catch (error) {
    say(error.message);
    failed = name;
  }
  const lines = [result(name, failed === undefined, stepMs), ...found.map((text) => `    ${text}`)];
  say(lines.join('\n'));
  summary.push(...lines);
  // What comes after it builds on it.
  if (failed !== undefined) break;
}
const left = [...(await leftovers())].filter((thing) => !before.has(thing));
summary.push(left.length === 0 ? 'nothing is left of it' : `left behind: ${left.join(', ')}`);
const isGood = failed === undefined && left.length === 0;
say(['', ...summary, result('all', isGood, startMs)].join('\n'));
process.exitCode = isGood ? 0 : 1;

/** A line of the summary. */
function result(name, isGood, sinceMs) {
  const seconds = (performance.now() - sinceMs) / 1000;
  return `${name.padEnd(11)} ${isGood ? 'passed' : 'failed'} ${seconds.toFixed(0).padStart(5)} s`;
}
