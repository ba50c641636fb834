// What of an installed package a running service may load.

/** Endings of files that no program loads. */
const NEVER_LOADED =
  /\.(?:map|md|markdown|d\.[cm]?ts|[cm]?ts|tsx|flow|tsbuildinfo|gyp|gypi|c|cc|cpp|h|lock|yml|yaml|html)$/i;
/** Folders of tests, documents and benchmarks at the top of a package; below it, a folder of such a name may be code. */
const NEVER_LOADED_FOLDERS =
  /node_modules\/(?:@[^/]+\/)?[^/]+\/(?:__tests__|test|tests|bench|benchmark|benchmarks|doc|docs|example|examples|\.github)\//;
/** Compiled tests of our own, and what only they use. */
const OWN_TEST = /\.test\.js$|^(?:libs|services|tools)\/[^/]+\/dist\/src\/testing\//;
/** Native builds for other C libraries and versions of Node: the images have glibc and Node-API. */
const OTHER_BUILDS = /\.(?:musl|abi\d+(?:\.glibc|\.musl)?)\.node$/;
/** Dawn's addons for other systems and processors than those of the image, which is built on its own kind. */
const OTHER_SYSTEMS = new RegExp(`/webgpu/dist/(?!${process.platform}-${process.arch}/)|/webgpu/build/`);
/** tfjs as one file for browsers, beside the modules that Node loads. */
const BROWSER_BUNDLE =
  /\/@tensorflow\/[^/]+\/dist\/tf[^/]*\.(?:fesm|es2017|min)[^/]*\.js$|\/@tensorflow\/[^/]+\/src\//;

/** OpenTelemetry's modules for bundlers, beside those that Node loads. */
const BUNDLER_BUILD = /\/@opentelemetry\/[^/]+\/build\/(?:esm|esnext)\//;

/** Whether the file at `path`, relative to the root of an install, may be loaded. Licences always stay. */
export function isNeeded(path) {
  if (/(?:^|\/)(?:licen[cs]e|notice|copying)[^/]*$/i.test(path)) return true;
  return ![
    NEVER_LOADED,
    NEVER_LOADED_FOLDERS,
    OWN_TEST,
    OTHER_BUILDS,
    OTHER_SYSTEMS,
    BROWSER_BUNDLE,
    BUNDLER_BUILD,
  ].some((rule) => rule.test(path));
}
