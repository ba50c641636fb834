// What of a TensorFlow package goes where, and what the compiler is told: pure, and tested without one.
import { join } from 'node:path';

/** What the binding is linked with, and what its loader looks for beside it. */
export const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
const HEADER = 'include/tensorflow/c/eager/c_api.h';
const SOURCES = ['binding/tfjs_backend.cc', 'binding/tfjs_binding.cc'];

/** Tells of how the package was built; in Python, as `('is_cuda_build', True)` in a dictionary. */
export const BUILD_INFO = 'python/platform/build_info.py';
const CUDA_BUILD = /['"]is_cuda_build['"]\s*[,:]\s*True/;

export const moduleName = (isGpu) => (isGpu ? 'tfjs-node-gpu' : 'tfjs-node');

/**
 * Why a package does not serve, or undefined. `hasFile` tells of a path below its folder; `buildInfo` is what `BUILD_INFO` holds, if
 * it is there.
 */
export function packageFault({ folder, isGpu, hasFile, buildInfo }) {
  const missing = [...LIBRARIES, HEADER].find((path) => !hasFile(path));
  if (missing !== undefined) return `${folder} must have ${missing}, got none`;
  if (!isGpu || (buildInfo !== undefined && CUDA_BUILD.test(buildInfo))) return undefined;
  return `--gpu needs a TensorFlow with CUDA (pip install tensorflow[and-cuda]), got one for CPUs: ${folder}`;
}

/** The highest interface of Node that the module names, and the addon that it then looks for. */
export function addonOf(module, { binary }) {
  const napiVersion = Math.max(...binary.napi_versions);
  const folder = join(module, binary.module_path.replace('{napi_build_version}', String(napiVersion)));
  return { napiVersion, folder, path: join(folder, `${binary.module_name}.node`) };
}

/** `headers`: Node's, for addons. */
export function compilerArguments({ module, headers, tensorflow, addon }) {
  return [
    ...['-std=c++17', '-O2', '-fPIC', '-shared', `-DNAPI_VERSION=${addon.napiVersion}`],
    // The sources name each other from the folder above theirs.
    ...[join(module, '..'), module, join(tensorflow, 'include'), headers].map((folder) => `-I${folder}`),
    ...SOURCES.map((path) => join(module, path)),
    ...LIBRARIES.map((name) => join(tensorflow, name)),
    '-Wl,-rpath,$ORIGIN/../../deps/lib',
    ...['-o', addon.path],
  ];
}

/**
 * Where the libraries go, as [source, target]. TensorFlow looks for CUDA beside its own folder, `$ORIGIN/../nvidia` of its libraries, where
 * Python's packages of CUDA lie.
 */
export function libraryPlaces({ module, tensorflow, hasCuda }) {
  const deps = join(module, 'deps');
  const places = LIBRARIES.map((name) => [join(tensorflow, name), join(deps, 'lib', name)]);
  return hasCuda ? [...places, [cudaFolder(tensorflow), join(deps, 'nvidia')]] : places;
}

export const cudaFolder = (tensorflow) => join(tensorflow, '../nvidia');
