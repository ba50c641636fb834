import { say } from '../workflow/process.mjs';
import { loseAndRestore } from './backup.mjs';
import { imageName } from './build-images.mjs';
import { output } from './programs.mjs';
import { assertTrained, freePort, trainOn, withScratch } from './scratch.mjs';

/**
 * Trains through three containers with mutual TLS, on read-only root file systems; then the runs are backed up, lost and
 * restored, and the run goes on.
 */
export function trainWithContainers() {
  return withScratch(async ({ data, tls, runs }) => {
    const [cachePort, workerPort, trainerPort] = [await freePort(), await freePort(), await freePort()];
    const at = (port) => `127.0.0.1:${port}`;
    const started = [];
    const start = async (target, environment, mounts) => {
      const id = await output(
        'podman',
        containerArguments(target, { ...environment, ...TLS }, [...mounts, `${tls}:/tls:ro`]),
      );
      started.push({ target, id: id.trim() });
    };
    try {
      await start(
        'chunk-cache',
        {
          CHUNK_CACHE_LISTEN: at(cachePort),
          CHUNK_CACHE_DATASETS: 'default=/data',
          CHUNK_CACHE_STORE_FOLDER: '/tmp/chunks',
        },
        [`${data}:/data:ro`],
      );
      await start(
        'augmentation',
        { AUGMENTATION_LISTEN: at(workerPort), AUGMENTATION_CHUNK_CACHE_ADDRESS: at(cachePort) },
        [],
      );
      await start(
        'trainer',
        {
          TRAINER_LISTEN: at(trainerPort),
          TRAINER_CHUNK_CACHE_ADDRESS: at(cachePort),
          TRAINER_WORKER_ADDRESSES: at(workerPort),
        },
        [`${runs}:/var/lib/lunastream/runs`],
      );
      const command = commandInContainer(tls);
      say(await trainOn(at(trainerPort), command, ...CLIENT_FLAGS));
      const run = await assertTrained(runs);
      await loseAndRestore(started.at(-1).id, runs);
      const onTrainer = ['--trainer', at(trainerPort), ...CLIENT_FLAGS];
      say(await command('train', ...onTrainer, '--resume', run, '--epochs', '2', '--quiet'));
      await assertTrained(runs, 2);
      return ['mutual TLS and a token; runs were backed up, lost, restored, and the run went on'];
    } catch (error) {
      for (const { target, id } of started) say(`${target}:\n${await output('podman', ['logs', id])}`);
      throw error;
    } finally {
      for (const { id } of started.reverse()) await output('podman', ['rm', '--force', '--time=20', id]);
    }
  });
}

const TLS = {
  LUNASTREAM_TLS_CERT: '/tls/tls.crt',
  LUNASTREAM_TLS_KEY: '/tls/tls.key',
  LUNASTREAM_TLS_CA: '/tls/ca.crt',
  LUNASTREAM_TOKEN_FILE: '/tls/token',
  LUNASTREAM_PROMETHEUS_LISTEN: 'off',
};

const CLIENT_FLAGS = [
  ...['--tls-cert', '/tls/tls.crt', '--tls-key', '/tls/tls.key', '--tls-ca', '/tls/ca.crt'],
  ...['--token-file', '/tls/token'],
];

/** What every container has: no privilege, nothing to write to but a temporary folder, this machine's network. */
const CONFINED = [
  '--network=host',
  '--read-only',
  '--tmpfs=/tmp',
  '--cap-drop=all',
  '--security-opt=no-new-privileges',
];

function containerArguments(target, environment, mounts) {
  return [
    'run',
    '--detach',
    '--log-driver=k8s-file',
    ...CONFINED,
    ...Object.entries(environment).map(([name, value]) => `--env=${name}=${value}`),
    ...mounts.map((mount) => `--volume=${mount}`),
    imageName(target),
  ];
}

/** The command line of its own image. */
function commandInContainer(tls) {
  return (...args) =>
    output('podman', ['run', '--rm', ...CONFINED, `--volume=${tls}:/tls:ro`, imageName('cli'), ...args]);
}
