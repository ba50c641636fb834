import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServingMessage } from '@lunastream/service-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkHealth, listServices } from '../src/grpc-probe.ts';
import { startService, type ServiceName } from '../src/lunastream.ts';

interface ServiceCase {
  readonly name: ServiceName;
  readonly prefix: string;
  /** Services that it must announce by reflection. */
  readonly services: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Two settings that are wrong in two ways. */
  readonly faults: Readonly<Record<string, string>>;
}

const CASES: readonly ServiceCase[] = [
  {
    name: 'chunk-cache',
    prefix: 'CHUNK_CACHE',
    services: ['lunastream.chunk.v1.ChunkService', 'lunastream.dataset.v1.DatasetService'],
    environment: { CHUNK_CACHE_DATASETS: 'default=nowhere' },
    faults: { CHUNK_CACHE_MEMORY_LIMIT: 'a lot', LUNASTREAM_LOG_LEVEL: 'loud' },
  },
  {
    name: 'augmentation',
    prefix: 'AUGMENTATION',
    services: ['lunastream.augment.v1.AugmentationService'],
    environment: {},
    faults: { AUGMENTATION_CHUNK_CACHE_ADDRESS: 'nowhere', LUNASTREAM_LOG_LEVEL: 'loud' },
  },
  {
    name: 'trainer',
    prefix: 'TRAINER',
    services: ['lunastream.train.v1.TrainingService'],
    environment: {},
    faults: { TRAINER_LEASE_SIZE: '0', LUNASTREAM_LOG_LEVEL: 'loud' },
  },
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-services-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(CASES)('$name', ({ name, prefix, services, environment, faults }) => {
  const start = (changed: Readonly<Record<string, string>> = {}, args: readonly string[] = []) =>
    startService(name, folder, { [`${prefix}_LISTEN`]: '127.0.0.1:0', ...environment, ...changed }, args);

  it('answers health and reflection, and drains on SIGTERM with code 0', async () => {
    const service = start();
    const { address } = await service.message<ServingMessage>();
    for (const asked of ['', ...services]) expect(await checkHealth(address, asked)).toBe('SERVING');
    expect(await listServices(address)).toEqual(expect.arrayContaining([...services]));
    service.signal('SIGTERM');
    const { code, stdout, stderr } = await service.finished;
    expect([code, stderr]).toEqual([0, '']);
    const states = [...stdout.matchAll(/"state":"([A-Z]+)"/g)].map(([, state]) => state);
    expect(states).toEqual(['STARTING', 'SERVING', 'DRAINING', 'STOPPED']);
  });

  it('describes every setting with --help', async () => {
    const { code, stdout } = await start({}, ['--help']).finished;
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^  ${prefix}_LISTEN  +Address to listen on`, 'm'));
    expect(stdout).toMatch(/^ {2}LUNASTREAM_LOG_LEVEL +Least important log lines/m);
  });

  it('names all faults of its settings at once, with code 2', async () => {
    const { code, stdout, stderr } = await start({ [`${prefix}_LISTEN`]: 'here', ...faults }).finished;
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^Cannot start: the environment has 3 fault\(s\)\n/);
    for (const variable of [`${prefix}_LISTEN`, ...Object.keys(faults)]) {
      expect(stderr).toMatch(new RegExp(`^  ${variable}='`, 'm'));
    }
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('ends with code 1 and names the address when its port is taken', async () => {
    const first = start();
    const { address } = await first.message<ServingMessage>();
    const { code, stdout } = await start({ [`${prefix}_LISTEN`]: address }).finished;
    expect(code).toBe(1);
    expect(stdout).toContain(`Cannot listen on ${address}`);
    first.signal('SIGTERM');
    await first.finished;
  });
});
