// Builds tfjs-node's native binding against the libraries of a TensorFlow package for Python, and installs it where the
// tensorflow engine looks: `node tools/tensorflow-engine/build.mjs --tensorflow FOLDER [--into FOLDER] [--gpu] [--copy]`.
// tfjs-node 4.22 itself downloads TensorFlow 2.9, whose CUDA knows no GPU since 2022.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root, run, say } from '../workflow/process.mjs';
import {
  addonOf,
  BUILD_INFO,
  compilerArguments,
  cudaFolder,
  libraryPlaces,
  moduleName,
  packageFault,
} from './build-plan.mjs';

/** The binding's sources and the JavaScript around it; as libs/engine has it as an optional peer. */
const TFJS_NODE_VERSION = '4.22.0';
/** Node's interface for native addons, as headers: Node's own are a download. */
const HEADERS = 'node-api-headers@1.9.0';

const { values } = parseArgs({
  options: {
    tensorflow: { type: 'string' },
    into: { type: 'string', default: join(root, 'node_modules') },
    gpu: { type: 'boolean', default: false },
    copy: { type: 'boolean', default: false },
  },
});

function refuse(rule) {
  say(`Cannot build the tensorflow engine: ${rule}`);
  process.exit(2);
}

async function must(command, args, what) {
  // Wherever the module lies, it finds the repository's tfjs.
  const env = { ...process.env, NODE_PATH: join(root, 'node_modules') };
  const { code, output } = await run(command, args, { quiet: true, env }).catch((error) => ({
    code: 1,
    output: error.message,
  }));
  if (code === 0) return output;
  say(output);
  return refuse(`${what} must succeed, got exit code ${code}`);
}

/** The folder of a TensorFlow package, checked for what is needed. */
function tensorflowFolder() {
  if (values.tensorflow === undefined)
    refuse('--tensorflow must name the folder `tensorflow` of site-packages');
  const folder = resolve(values.tensorflow);
  const buildInfo = join(folder, BUILD_INFO);
  const fault = packageFault({
    folder,
    isGpu: values.gpu,
    hasFile: (path) => existsSync(join(folder, path)),
    buildInfo: existsSync(buildInfo) ? readFileSync(buildInfo, 'utf8') : undefined,
  });
  if (fault !== undefined) refuse(fault);
  return folder;
}

/** Installs the module and the headers from npm, without the scripts that download TensorFlow. */
async function fetchModule(stage, name) {
  const packages = [`@tensorflow/${name}@${TFJS_NODE_VERSION}`, HEADERS];
  await must(
    'npm',
    ['install', '--prefix', stage, '--ignore-scripts', '--no-audit', '--no-fund', ...packages],
    `npm install ${packages.join(' ')}`,
  );
  return join(stage, 'node_modules/@tensorflow', name);
}

async function compile(module, stage, tensorflow) {
  const addon = addonOf(module, JSON.parse(readFileSync(join(module, 'package.json'), 'utf8')));
  mkdirSync(addon.folder, { recursive: true });
  const headers = join(stage, 'node_modules/node-api-headers/include');
  await must(
    process.env.CXX ?? 'g++',
    compilerArguments({ module, headers, tensorflow, addon }),
    'the compiler',
  );
}

/** Puts the libraries where the binding looks: as links, or, for a machine without that package, as copies. */
function addLibraries(module, tensorflow) {
  mkdirSync(join(module, 'deps/lib'), { recursive: true });
  const hasCuda = existsSync(cudaFolder(tensorflow));
  for (const [source, target] of libraryPlaces({ module, tensorflow, hasCuda })) {
    if (values.copy) cpSync(source, target, { recursive: true });
    else symlinkSync(source, target);
  }
}

/** Moves the module to `into`, with what it needs inside it, but for tfjs: there must be one of it in a process. */
function install(module, stage, into, name) {
  const target = join(into, '@tensorflow', name);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(join(into, '@tensorflow'), { recursive: true });
  cpSync(module, target, { recursive: true, verbatimSymlinks: true });
  for (const entry of readdirSync(join(stage, 'node_modules'))) {
    if (entry.startsWith('.') || entry === '@tensorflow' || entry === 'node-api-headers') continue;
    cpSync(join(stage, 'node_modules', entry), join(target, 'node_modules', entry), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
  return target;
}

const PROOF = `
  const util = require('node:util');
  util.isNullOrUndefined ??= (value) => value == null;
  util.isArray ??= Array.isArray;
  const tf = require(process.argv[1]);
  const x = tf.ones([1, 3, 3, 3, 1]);
  const [sum] = tf.conv3d(x, tf.ones([3, 3, 3, 1, 1]), 1, 'valid').dataSync();
  if (sum !== 27) throw new Error('conv3d must give 27, got ' + sum);
  console.log('TensorFlow ' + tf.backend().binding.TF_Version + (tf.backend().isUsingGpuDevice ? ' on a GPU' : ' on the CPU'));
`;

const tensorflow = tensorflowFolder();
const name = moduleName(values.gpu);
const into = resolve(values.into);
const stage = mkdtempSync(join(tmpdir(), 'lunastream-tensorflow-'));
try {
  const module = await fetchModule(stage, name);
  await compile(module, stage, tensorflow);
  addLibraries(module, tensorflow);
  const target = install(module, stage, into, name);
  const told = await must(process.execPath, ['-e', PROOF, target], 'loading the module');
  say(`${target}: ${told.trim().split('\n').at(-1)}`);
} finally {
  rmSync(stage, { recursive: true, force: true });
}
