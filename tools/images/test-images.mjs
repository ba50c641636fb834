// Builds the images and trains with them: `npm run test:images`. Not part of CI: it needs a machine that builds images
// (container-host.sh) and npm's registry.
import { say } from '../workflow/process.mjs';
import { buildImages, inspectImages } from './build-images.mjs';
import { trainWithCompose } from './compose-stack.mjs';
import { trainWithKube } from './kube-stack.mjs';
import { trainWithTensorflow } from './tensorflow-image.mjs';
import { trainWithContainers } from './container-stack.mjs';
import { leftovers } from './leftovers.mjs';
import { assertPrograms } from './programs.mjs';

const STEPS = {
  build: { needs: ['buildah', 'npm'], run: buildImages },
  inspect: { needs: ['podman'], run: inspectImages },
  stack: { needs: ['podman'], run: trainWithContainers },
  compose: { needs: ['podman', 'podman-compose'], run: trainWithCompose },
  kube: { needs: ['podman', 'kubectl'], run: trainWithKube },
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
let failed = false;
for (const [name, { run }] of steps) {
  const startMs = performance.now();
  try {
    await run();
  } catch (error) {
    say(error.message);
    say(`${name}: failed`);
    failed = true;
    break;
  }
  say(`${name}: passed after ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
}
const left = [...(await leftovers())].filter((thing) => !before.has(thing));
say(left.length === 0 ? 'nothing is left of it' : `left behind: ${left.join(', ')}`);
process.exitCode = failed || left.length > 0 ? 1 : 0;
