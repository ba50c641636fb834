import { run, say } from '../workflow/process.mjs';
import { assert, output } from './programs.mjs';

/** Target of the Containerfile, and most MB over its base image; undefined where only the figure is told. */
const IMAGES = [
  { target: 'chunk-cache', mostMb: 60 },
  { target: 'augmentation', mostMb: 60 },
  { target: 'trainer', mostMb: undefined },
  { target: 'cli', mostMb: undefined },
];
const BASE = 'docker.io/library/node:22-bookworm-slim';
const MB = 1e6;

export const imageName = (target) => `localhost/lunastream/${target}:dev`;

/** Builds every target. Behind a proxy with an authority of its own, the builds need its certificate, too. */
export async function buildImages() {
  const registry = (await output('npm', ['config', 'get', 'registry'])).trim();
  const authorities = process.env.NODE_EXTRA_CA_CERTS;
  const inside = '/tmp/extra-ca.pem';
  for (const { target } of IMAGES) {
    say(`building ${target}`);
    const { code } = await run('buildah', [
      'build',
      // Works where a build may not make namespaces of its own.
      '--isolation=chroot',
      '--layers',
      '--force-rm',
      '--file=deploy/images/Containerfile',
      `--target=${target}`,
      `--tag=${imageName(target)}`,
      `--build-arg=NPM_CONFIG_REGISTRY=${registry}`,
      ...(authorities
        ? [`--volume=${authorities}:${inside}:ro`, `--build-arg=NODE_EXTRA_CA_CERTS=${inside}`]
        : []),
      '.',
    ]);
    assert(code === 0, `Cannot build ${target}: buildah ended with ${code}`);
  }
}

async function inspect(image) {
  const [found] = JSON.parse(await output('podman', ['image', 'inspect', image]));
  return found;
}

/** Checks size, user and labels, that tests and sources stayed outside, and that the bill of materials is inside. */
export async function inspectImages() {
  const base = await inspect(BASE);
  for (const { target, mostMb } of IMAGES) {
    const { Size: sizeBytes, Config: config } = await inspect(imageName(target));
    const overMb = (sizeBytes - base.Size) / MB;
    say(
      `${target}: ${overMb.toFixed(1)} MB over its base image${mostMb === undefined ? '' : ` (at most ${mostMb})`}`,
    );
    assert(
      mostMb === undefined || overMb <= mostMb,
      `${target} must be at most ${mostMb} MB over its base, got ${overMb}`,
    );
    assert(config.User === '1000:1000', `${target} must run as 1000:1000, got ${config.User}`);
    assert(
      config.Labels['org.opencontainers.image.title'] === `lunastream-${target}`,
      `${target} must be labelled`,
    );
    const inside = (...command) =>
      output('podman', [
        'run',
        '--rm',
        '--network=none',
        '--read-only',
        '--entrypoint=',
        imageName(target),
        ...command,
      ]);
    const sbom = JSON.parse(await inside('cat', '/app/sbom.cdx.json'));
    assert(
      sbom.bomFormat === 'CycloneDX' && sbom.components.length > 10,
      `${target} must have a bill of materials`,
    );
    const strays = await inside(
      'find',
      '/app',
      '-name',
      '*.test.js',
      '-o',
      '-name',
      '*.map',
      '-o',
      '-name',
      'typescript',
    );
    assert(strays === '', `${target} must hold nothing but what runs, got ${strays}`);
  }
}
