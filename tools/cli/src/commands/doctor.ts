import { createRequire } from 'node:module';
import { InvalidArgumentError, type Command } from 'commander';
import { addressSchema, errorText, type ConnectionSecurity } from '@lunastream/service-kit';
import { addConnectionOptions, openSecurity, type ConnectionOptions } from '../connection-options.ts';
import { formatTable } from '../closing-table.ts';
import {
  diskFinding,
  expiryFinding,
  gpuFinding,
  metricsFindings,
  peerExpiry,
  SERVICE_CHECKS,
  type Finding,
} from '../doctor-checks.ts';
import { ExitCode } from '../errors.ts';
import type { CommandContext } from './context.ts';

const require = createRequire(import.meta.url);

interface Options extends ConnectionOptions {
  readonly chunkCache: readonly string[];
  readonly workers: readonly string[];
  readonly trainer: readonly string[];
  readonly metrics: readonly string[];
  readonly folder: readonly string[];
  readonly json?: true;
}

function addresses(text: string): string[] {
  const parsed = text.split(',').map((part) => addressSchema.safeParse(part.trim()));
  if (parsed.some(({ success }) => !success))
    throw new InvalidArgumentError('It must be host:port, several separated by commas.');
  return parsed.map(({ data }) => data!);
}

export function registerDoctor(program: Command, context: CommandContext): void {
  const command = program
    .command('doctor')
    .description('check a running installation: reachability, certificates, clocks, versions, disk, GPU')
    .option('--chunk-cache <addresses>', 'chunk caches, host:port separated by commas', addresses, [])
    .option('--workers <addresses>', 'augmentation workers', addresses, [])
    .option('--trainer <addresses>', 'trainers', addresses, [])
    .option('--metrics <addresses>', 'pages that Prometheus scrapes: clocks and versions', addresses, [])
    .option('--folder <folder...>', 'folders whose disks must have room', ['.'])
    .option('--json', 'a line of JSON per finding')
    .action((options: Options) => doctor(options, context));
  addConnectionOptions(command);
}

async function doctor(
  options: Options,
  { terminal, environment, setExitCode }: CommandContext,
): Promise<void> {
  const security = openSecurity(options, environment);
  try {
    const findings = await examine(options, security);
    if (options.json) for (const finding of findings) terminal.out(`${JSON.stringify(finding)}\n`);
    else {
      const rows = findings.map(({ check, verdict, detail }) => [check, verdict, detail]);
      terminal.out(`${formatTable(['check', 'verdict', 'detail'], rows, ['left', 'left', 'left'])}\n`);
    }
    if (findings.some(({ verdict }) => verdict === 'failed')) setExitCode(ExitCode.failed);
  } finally {
    security.close();
  }
}

async function examine(options: Options, security: ConnectionSecurity): Promise<Finding[]> {
  const services = [
    ...options.chunkCache.map((address) => ['chunk-cache', address] as const),
    ...options.workers.map((address) => ['augmentation', address] as const),
    ...options.trainer.map((address) => ['trainer', address] as const),
  ];
  const findings = await Promise.all([
    ...services.map(([service, address]) => examineService(service, address, security)),
    ...options.metrics.map((address) =>
      safely(`metrics of ${address}`, () => metricsFindings(address, ownVersion())),
    ),
    ...options.folder.map((folder) => safely(`disk of ${folder}`, async () => [await diskFinding(folder)])),
  ]);
  return [...findings.flat(), gpuFinding()];
}

function examineService(
  service: keyof typeof SERVICE_CHECKS,
  address: string,
  security: ConnectionSecurity,
): Promise<Finding[]> {
  const check = `${service} ${address}`;
  return safely(check, async () => {
    const answer = { check, ...(await SERVICE_CHECKS[service](address, security)) };
    if (answer.verdict === 'failed') return [answer];
    const expiry = await peerExpiry(address, security);
    return expiry === undefined ? [answer] : [answer, expiryFinding(check, expiry, Date.now())];
  });
}

/** All packages of the workspace have one version. */
function ownVersion(): string {
  return (require('@lunastream/cli/package.json') as { version: string }).version;
}

/** A check that cannot be made is a finding, not the end of the others. */
async function safely(check: string, examination: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await examination();
  } catch (error) {
    return [{ check, verdict: 'failed', detail: errorText(error) }];
  }
}
