import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { say } from '../workflow/process.mjs';
import { imageName } from './build-images.mjs';
import { assert, output } from './programs.mjs';
import { freePort, lunastream, trainOn, withScratch } from './scratch.mjs';

const FILE = 'deploy/compose.yaml';
/** The services whose images are built here; those of others come from registries. */
const SERVICES = ['chunk-cache', 'augmentation', 'trainer'];

/**
 * Trains through the services of the Compose file, started by podman-compose in a network of their own: by their names, with
 * volumes that the images' user can write to. The shared store and the collector are away, which stops nothing.
 */
export function trainWithCompose() {
  return withScratch(async ({ data }) => {
    const project = `lunastream-images-${process.pid}`;
    const port = await freePort();
    const env = { ...process.env, LUNASTREAM_DATA: data, TRAINER_PORT: String(port) };
    const compose = (...args) =>
      output('podman-compose', ['--project-name', project, '--file', FILE, ...args], { env });
    const { services } = parse(readFileSync(FILE, 'utf8'), { merge: true });
    const names = SERVICES.map((service) => [imageName(service), `localhost/${services[service].image}`]);
    for (const name of names) await output('podman', ['tag', ...name]);
    try {
      await compose('up', '--detach', '--no-build', ...SERVICES);
      const trainer = `127.0.0.1:${port}`;
      say(await trainOn(trainer, lunastream));
      const runs = JSON.parse(await lunastream('runs', '--trainer', trainer, '--json'));
      assert(runs.state === 'finished', `the run must be finished, got ${runs.state}`);
      const answers = [];
      for (const service of SERVICES) {
        const [, ...probe] = services[service].healthcheck.test;
        const answer = await output('podman', ['exec', `${project}_${service}_1`, ...probe]);
        answers.push(`${service}: ${answer.trim()}`);
      }
      return answers;
    } catch (error) {
      for (const service of SERVICES)
        say(await output('podman', ['logs', `${project}_${service}_1`]).catch(String));
      throw error;
    } finally {
      await compose('down', '--volumes').catch((error) => say(error.message));
      await output('podman', ['network', 'rm', `${project}_default`]).catch((error) => say(error.message));
      for (const name of names) await output('podman', ['untag', ...name]);
    }
  });
}
