// npm makes its list of packages from the lock file, which knows more than an image has: builds for other systems, optional packages,
// tools of development. (With --omit=dev it leaves out whatever a tool uses, too, be it needed at run time or not: npm 10 and 11.)

/**
 * npm's list in CycloneDX's format, reduced to what is installed.
 * @param sbom as `npm sbom` writes it
 * @param installed `name@version` of every package that is there
 * @throws Error naming the packages that are there and not on npm's list
 */
export function onlyInstalled(sbom, installed) {
  const own = sbom.metadata.component['bom-ref'];
  const components = sbom.components.filter((component) => installed.has(component['bom-ref']));
  const refs = new Set([own, ...components.map((component) => component['bom-ref'])]);
  const unlisted = [...installed].filter((ref) => !refs.has(ref));
  if (unlisted.length > 0) {
    throw new Error(`Cannot list packages: npm's list must have all, got none of ${unlisted.join(', ')}`);
  }
  const dependencies = sbom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
  return { ...sbom, components, dependencies };
}

/**
 * `name@version` of every package of an install, our own included.
 * @param packages as npm's node_modules/.package-lock.json has them
 * @param isThere whether a path, relative to the install, exists
 */
export function installedPackages(packages, isThere) {
  return new Set(
    Object.entries(packages)
      .filter(([path, { link }]) => link !== true && isThere(path))
      .map(([path, { name, version }]) => `${name ?? path.split('node_modules/').at(-1)}@${version}`),
  );
}
