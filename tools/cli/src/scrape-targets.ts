import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import type { LocalStack, ScrapeTarget } from './local-stack.ts';

/** The flag of commands that start services. */
export function prometheusOption(): Option {
  return new Option(
    '--prometheus [port]',
    'let Prometheus scrape the services, from this port upwards or on free ones, and print where',
  )
    .preset('0')
    .argParser((text: string) => {
      const port = Number(text);
      if (!/^\d+$/.test(text) || port > 65_000) {
        throw new InvalidArgumentError('It must be a port, 0..65000.');
      }
      return port;
    });
}

/** The targets in the form of Prometheus's `file_sd_configs`. */
export function toFileDiscovery(targets: readonly ScrapeTarget[]): string {
  const groups = targets.map(({ name, address }) => ({ targets: [address], labels: { name } }));
  return `${JSON.stringify(groups, undefined, 2)}\n`;
}

/**
 * Writes where Prometheus scrapes the services of `stack` for its file discovery, and tells it; nothing when it scrapes
 * none. A file of an earlier stack is replaced.
 */
export async function tellScrapeTargets(
  { scrapeTargets }: LocalStack,
  stateFolder: string,
  tell: (line: string) => void,
): Promise<void> {
  if (scrapeTargets.length === 0) return;
  const path = join(stateFolder, 'prometheus-targets.json');
  await writeFile(path, toFileDiscovery(scrapeTargets));
  for (const { name, address } of scrapeTargets) tell(`metrics of ${name}: http://${address}/metrics\n`);
  tell(`all of them for Prometheus: ${path}\n`);
}
