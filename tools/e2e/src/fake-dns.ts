import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A name service for processes that are started with its environment. */
export interface FakeDns {
  readonly environment: Readonly<Record<string, string>>;
  /** What the name stands for from now on. */
  setAddresses(addresses: readonly string[]): Promise<void>;
}

/** Makes a name service of one `name`: what it stands for is read from a file below `folder` whenever somebody asks. */
export async function startFakeDns(folder: string, name: string): Promise<FakeDns> {
  const hook = join(folder, 'fake-dns.mjs');
  const answers = join(folder, 'fake-dns.json');
  await writeFile(
    hook,
    `import dns from 'node:dns/promises';
     import { readFileSync } from 'node:fs';
     import { syncBuiltinESMExports } from 'node:module';
     dns.lookup = async (host) => {
       const addresses = JSON.parse(readFileSync(${JSON.stringify(answers)}, 'utf8'))[host];
       return addresses.map((address) => ({ address, family: 4 }));
     };
     syncBuiltinESMExports();`,
  );
  return {
    environment: { NODE_OPTIONS: `--import=${pathToFileURL(hook).href}` },
    setAddresses: async (addresses) => {
      await writeFile(`${answers}.new`, JSON.stringify({ [name]: addresses }));
      await rename(`${answers}.new`, answers);
    },
  };
}
