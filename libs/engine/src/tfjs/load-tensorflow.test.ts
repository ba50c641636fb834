import tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { loadTensorflow, type ImportModule } from './load-tensorflow.ts';

/** As Node.js rejects the import of a package that is not installed. */
const missing: ImportModule = (name) =>
  Promise.reject(
    Object.assign(new Error(`Cannot find package '${name}' imported from here`), {
      code: 'ERR_MODULE_NOT_FOUND',
    }),
  );

/** tfjs as a module of the native library would give it, with `usesGpu`. */
function fakeModule(usesGpu: boolean): unknown {
  return {
    default: {
      ...tf,
      enableProdMode: () => undefined,
      setBackend: (name: string) => Promise.resolve(name === 'tensorflow'),
      backend: () => ({ isUsingGpuDevice: usesGpu }),
    },
  };
}

describe('loadTensorflow()', () => {
  it('says what to do where neither module is installed', async () => {
    await expect(loadTensorflow({ load: missing })).rejects.toThrow(
      'Cannot start engine tensorflow: @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node is not installed ' +
        '(npm install @tensorflow/tfjs-node, which downloads TensorFlow while it installs)',
    );
  });

  it('prefers the module for a GPU, and tells what it found', async () => {
    const load = () => Promise.resolve(fakeModule(true));
    const gpus = () => Promise.resolve([{ name: 'NVIDIA H200', memoryBytes: 2 ** 37 }]);
    expect(await loadTensorflow({ load, gpus })).toMatchObject({
      module: '@tensorflow/tfjs-node-gpu',
      usesGpu: true,
      device: 'TensorFlow on a GPU, NVIDIA H200 (@tensorflow/tfjs-node-gpu)',
      deviceMemoryBytes: 2 ** 37,
    });
    expect((await loadTensorflow({ load, gpus: () => Promise.resolve([]) })).device).toBe(
      'TensorFlow on a GPU (@tensorflow/tfjs-node-gpu)',
    );
  });

  it('takes the other where the first is missing', async () => {
    const load: ImportModule = (name) =>
      name === '@tensorflow/tfjs-node' ? Promise.resolve(fakeModule(false)) : missing(name);
    expect((await loadTensorflow({ load })).device).toBe('TensorFlow on the CPU (@tensorflow/tfjs-node)');
  });

  it('tells a module that is there but broken from one that is missing', async () => {
    const load: ImportModule = (name) =>
      name === '@tensorflow/tfjs-node'
        ? Promise.reject(
            new Error('The Node.js native addon module (tfjs_binding.node) can not be found\nlong advice'),
          )
        : missing(name);
    await expect(loadTensorflow({ load })).rejects.toThrow(
      /@tensorflow\/tfjs-node is installed but does not load: The Node.js native addon.*\(npm rebuild/,
    );
    await expect(loadTensorflow({ load })).rejects.not.toThrow('long advice');
  });

  it.each([
    [
      'libtensorflow_cc.so.2',
      /does not find libtensorflow_cc\.so\.2: build the module again .*tools\/tensorflow-engine/,
    ],
    [
      'libcudart.so.12',
      /does not find libcudart\.so\.12: install CUDA's libraries .*and build the module with --gpu/,
    ],
  ])('names the library %s that is missing, and says what to do', async (library, sentence) => {
    // The sentence of Linux's loader, as a module without its library gave it.
    const text = `${library}: cannot open shared object file: No such file or directory`;
    const load: ImportModule = () =>
      Promise.reject(Object.assign(new Error(text), { code: 'ERR_DLOPEN_FAILED' }));
    await expect(loadTensorflow({ load })).rejects.toThrow(sentence);
  });

  it('mends what newer versions of Node.js took from the module', async () => {
    await loadTensorflow({ load: () => Promise.resolve(fakeModule(false)) });
    const util = (await import('node:util')).default as unknown as Record<
      string,
      (value: unknown) => boolean
    >;
    expect(util['isNullOrUndefined']!(undefined)).toBe(true);
  });
});
