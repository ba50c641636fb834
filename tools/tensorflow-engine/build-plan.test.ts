import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import {
  addonOf,
  BUILD_INFO,
  compilerArguments,
  LIBRARIES,
  libraryPlaces,
  moduleName,
  packageFault,
} from './build-plan.mjs';

/** As TensorFlow 2.21 writes them. */
const FOR_CPUS = `build_info = collections.OrderedDict([('is_cuda_build', False), ('is_rocm_build', False)])`;
const WITH_CUDA = `build_info = collections.OrderedDict([('cuda_version', '12.5.1'), ('is_cuda_build', True)])`;
/** As tfjs-node's package.json has it. */
const BINARY = {
  module_name: 'tfjs_binding',
  module_path: './lib/napi-v{napi_build_version}',
  napi_versions: [3, 8, 5],
};

describe('what is built', () => {
  it('is an addon for the highest interface that the module names, linked with TensorFlow by the name of its folder', () => {
    const addon = addonOf('/m/tfjs-node', { binary: BINARY });
    expect(addon).toEqual({
      napiVersion: 8,
      folder: '/m/tfjs-node/lib/napi-v8',
      path: '/m/tfjs-node/lib/napi-v8/tfjs_binding.node',
    });
    const given = compilerArguments({ module: '/m/tfjs-node', headers: '/h', tensorflow: '/tf', addon });
    expect(given).toContain('-DNAPI_VERSION=8');
    for (const folder of ['/m', '/m/tfjs-node', '/tf/include', '/h']) expect(given).toContain(`-I${folder}`);
    for (const name of LIBRARIES) expect(given).toContain(join('/tf', name));
    // Of the addon, two folders up from lib/napi-v8: where the libraries are put.
    expect(given).toContain('-Wl,-rpath,$ORIGIN/../../deps/lib');
    expect(given.slice(-2)).toEqual(['-o', addon.path]);
  });

  it('has its libraries beside it, and CUDA where TensorFlow looks for it', () => {
    const folders = { module: '/m', tensorflow: '/site/tensorflow' };
    const places = LIBRARIES.map((name) => [`/site/tensorflow/${name}`, `/m/deps/lib/${name}`]);
    expect(libraryPlaces({ ...folders, hasCuda: false })).toEqual(places);
    // `$ORIGIN/../nvidia` of deps/lib, as it is of the package's own folder.
    expect(libraryPlaces({ ...folders, hasCuda: true })).toEqual([
      ...places,
      ['/site/nvidia', '/m/deps/nvidia'],
    ]);
  });

  it('is called as the engine looks for it', () => {
    expect([moduleName(true), moduleName(false)]).toEqual(['tfjs-node-gpu', 'tfjs-node']);
  });
});

describe('packageFault()', () => {
  const whole = { folder: '/tf', isGpu: false, hasFile: () => true, buildInfo: FOR_CPUS };
  it.each([
    ['a package for CPUs', whole, undefined],
    ['one that does not tell how it was built', { ...whole, buildInfo: undefined }, undefined],
    ['one with CUDA, for a GPU', { ...whole, isGpu: true, buildInfo: WITH_CUDA }, undefined],
    [
      'one for CPUs, for a GPU',
      { ...whole, isGpu: true },
      /^--gpu needs a TensorFlow with CUDA .* got one for CPUs: \/tf$/,
    ],
    [
      'no headers',
      { ...whole, hasFile: (path: string) => !path.endsWith('.h') },
      /must have include\/.*c_api\.h, got none$/,
    ],
    ['no library', { ...whole, hasFile: () => false }, /^\/tf must have libtensorflow_cc\.so\.2, got none$/],
  ])('judges %s', (_, given, fault) => {
    if (fault === undefined) expect(packageFault(given)).toBeUndefined();
    else expect(packageFault(given)).toMatch(fault);
  });
});

describe('build.mjs', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'lunastream-tensorflow-plan-'));
  afterEach(() => rmSync(scratch, { recursive: true, force: true }));

  const build = (...args: readonly string[]) =>
    new Promise<{ code: unknown; stderr: string }>((resolve) => {
      const program = fileURLToPath(new URL('./build.mjs', import.meta.url));
      execFile(process.execPath, [program, ...args], (error, _, stderr) =>
        resolve({ code: error?.code ?? 0, stderr }),
      );
    });

  it('says what is wrong with what it is given, before it fetches or compiles', async () => {
    expect(await build()).toEqual({
      code: 2,
      stderr:
        'Cannot build the tensorflow engine: --tensorflow must name the folder `tensorflow` of site-packages\n',
    });
    expect(await build('--tensorflow', scratch)).toEqual({
      code: 2,
      stderr: `Cannot build the tensorflow engine: ${scratch} must have libtensorflow_cc.so.2, got none\n`,
    });
    for (const path of [...LIBRARIES, 'include/tensorflow/c/eager/c_api.h', BUILD_INFO]) {
      mkdirSync(dirname(join(scratch, path)), { recursive: true });
      writeFileSync(join(scratch, path), FOR_CPUS);
    }
    const { code, stderr } = await build('--tensorflow', scratch, '--gpu');
    expect(code).toBe(2);
    expect(stderr).toContain('--gpu needs a TensorFlow with CUDA');
  });
});
