// Builds the images and trains with them: `npm run test:images`. Not part of CI: it needs a machine that builds images
// (container-host.sh) and npm's registry.
import { say } from '../workflow/process.mjs';
import { buildImages, inspectImages } from './build-images.mjs';
import { trainWithKube } from './kube-stack.mjs';
import { trainWithContainers } from './container-stack.mjs';
import { assertPrograms } from './programs.mjs';

const STEPS = {
  build: { needs: ['buildah', 'npm'], run: buildImages },
  inspect: { needs: ['podman'], run: inspectImages },
  stack: { needs: ['podman'], run: trainWithContainers },
  kube: { needs: ['podman', 'kubectl'], run: trainWithKube },
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(STEPS, name));
if (unknown.length > 0) {
  say(`Cannot test images: steps are ${Object.keys(STEPS).join(', ')}, got ${unknown.join(', ')}`);
  process.exit(2);
}
for (const [name, { needs, run }] of Object.entries(STEPS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  await assertPrograms(needs);
  const startMs = performance.now();
  try {
    await run();
  } catch (error) {
    say(error.message);
    say(`${name}: failed`);
    process.exit(1);
  }
  say(`${name}: passed after ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
}
