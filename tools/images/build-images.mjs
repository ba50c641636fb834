import { run, say } from '../workflow/process.mjs';
import { assert, output } from './programs.mjs';

/** Target of the Containerfile, and most MB over its base image; undefined where only the figure is told. */
const IMAGES = [
  { target: 'chunk-cache', mostMb: 60 },
  { target: 'augmentation', mostMb: 60 },
  { target: 'trainer', mostMb: undefined },
  { target: 'trainer-webgpu', mostMb: undefined },
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
  return [`${IMAGES.length} images`];
}

async function inspect(image) {
  const [found] = JSON.parse(await output('podman', ['image', 'inspect', image]));
  return found;
}

async function mbOverBase(target) {
  const { Size: sizeBytes } = await inspect(imageName(target));
  return (sizeBytes - (await inspect(BASE)).Size) / MB;
}

/** A sentence. */
export async function overBase(target, mostMb) {
  const limit = mostMb === undefined ? '' : ` (at most ${mostMb})`;
  return `${target}: ${(await mbOverBase(target)).toFixed(1)} MB over its base image${limit}`;
}

/** Checks size, user and labels, that tests and sources stayed outside, and that the bill of materials tells what is inside. */
export async function inspectImages() {
  const found = [];
  for (const { target, mostMb } of IMAGES) {
    found.push(await overBase(target, mostMb));
    const overMb = await mbOverBase(target);
    assert(
      mostMb === undefined || overMb <= mostMb,
      `${target} must be at most ${mostMb} MB over its base, got ${overMb}`,
    );
    const { Config: config } = await inspect(imageName(target));
    assert(config.User === '1000:1000', `${target} must run as 1000:1000, got ${config.User}`);
    for (const name of ['title', 'description', 'version', 'licenses', 'vendor'])
      assert(config.Labels[`org.opencontainers.image.${name}`], `${target} must have a label ${name}`);
    assert(
      config.Labels['org.opencontainers.image.title'] === `lunastream-${target}`,
      `${target} must be labelled by its name`,
    );
    await inspectContents(target);
  }
  return found;
}

const NAMES_OF_PACKAGES = `JSON.stringify(process.argv.slice(1).map((path) => {
  const { name, version } = require(path);
  return name + '@' + version;
}))`;

/** Of an image's files: packages are those that its bill lists, nothing is there that no program loads. */
async function inspectContents(target) {
  const inside = (...command) =>
    output('podman', [
      ...['run', '--rm', '--network=none', '--read-only', '--entrypoint=', imageName(target)],
      ...command,
    ]);
  const sbom = JSON.parse(await inside('cat', '/app/sbom.cdx.json'));
  const listed = new Set(sbom.components.map(({ 'bom-ref': ref }) => ref));
  const files = (await inside('find', '/app', '-type', 'f')).split('\n');
  // As they call themselves, and not after their folders: an alias has another name.
  const manifests = files.filter((path) => /\/node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(path));
  const packages = JSON.parse(await inside('node', '-p', NAMES_OF_PACKAGES, ...manifests));
  const unlisted = packages.filter((name) => !listed.has(name));
  assert(
    sbom.bomFormat === 'CycloneDX' && packages.length > 10 && unlisted.length === 0,
    `${target}'s bill of materials must list every package, got none of ${unlisted.join(', ')}`,
  );
  const strays = files.filter((path) => /\.test\.js$|\.map$|\/typescript\//.test(path));
  assert(strays.length === 0, `${target} must hold nothing but what runs, got ${strays.join(', ')}`);
  const addons = files.filter((path) => path.endsWith('/dawn.node'));
  const wanted = target === 'trainer-webgpu' ? 1 : 0;
  assert(
    addons.length === wanted,
    `${target} must hold ${wanted} of Dawn's addons, got ${addons.join(', ')}`,
  );
}
