import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileConfig, ConnectionSecurity, securitySettings } from '@lunastream/service-kit';
import { DevelopmentAuthority } from '@lunastream/service-kit/development-ca';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startFakeDns } from '../src/fake-dns.ts';
import { FaultBench } from '../src/fault-bench.ts';
import { lunastream, onlyRun, startLunastream, startService } from '../src/lunastream.ts';
import { makeSmallDataset, SMALL_RUN } from '../src/small-dataset.ts';

let folder: string;
let data: string;

const DAY_MS = 86_400_000;
const TLS_FLAGS = ['--tls-cert', 'tls/tls.crt', '--tls-key', 'tls/tls.key', '--tls-ca', 'tls/ca.crt'];
const TOKEN_FLAGS = ['--token-file', 'tls/token'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lunastream-e2e-security-'));
  data = await makeSmallDataset(join(folder, 'data'));
  for (const out of ['tls', 'other-tls']) {
    const { code, stderr } = await lunastream(folder, 'dev-ca', '--out', out);
    expect([code, stderr]).toEqual([0, '']);
  }
});
afterAll(() => rm(folder, { recursive: true }));

describe('a stack with mutual TLS and a token', () => {
  it('trains for who has a certificate and the token, and for nobody else', async () => {
    const stack = startLunastream(
      folder,
      ...['up', '--data', data, '--workers', '1', '--port', '0', '--out', 'runs', '--json'],
      ...TLS_FLAGS,
      ...TOKEN_FLAGS,
    );
    const [line] = await stack.output(/^\{.*\}$/m);
    const { trainer } = JSON.parse(line) as { trainer: string };
    const train = ['train', '--trainer', trainer, ...SMALL_RUN, '--epochs', '1', '--quiet'];

    const done = await lunastream(folder, ...train, ...TLS_FLAGS, ...TOKEN_FLAGS);
    expect([done.code, done.stderr]).toEqual([0, '']);
    expect(await readFile(join(await onlyRun(join(folder, 'runs')), 'epochs.jsonl'), 'utf8')).toContain(
      '"val"',
    );

    const noToken = await lunastream(folder, ...train, ...TLS_FLAGS);
    expect(noToken).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the call must carry the token, got none') as string,
    });
    await writeFile(join(folder, 'wrong-token'), 'a-token-that-is-not-it');
    const wrongToken = await lunastream(folder, ...train, ...TLS_FLAGS, '--token-file', 'wrong-token');
    expect(wrongToken).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the call must carry the token, got another') as string,
    });
    const otherAuthority = await lunastream(
      folder,
      'runs',
      '--trainer',
      trainer,
      '--tls-ca',
      'other-tls/ca.crt',
    );
    expect(otherAuthority.code).toBe(1);
    expect(otherAuthority.stderr).toMatch(
      /^lunastream: Cannot connect to the trainer at [\d.:]+: (?:unable to|self-signed) [^\n]*certificate[^\n]*\n$/,
    );
    // What either sees of it depends on who closes the connection first.
    for (const flags of [[], ['--tls-ca', 'tls/ca.crt']]) {
      const { code, stdout, stderr } = await lunastream(folder, 'runs', '--trainer', trainer, ...flags);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^lunastream: [^\n]+\n$/);
    }
    // Looking needs no token.
    const list = await lunastream(folder, 'runs', '--trainer', trainer, ...TLS_FLAGS);
    expect([list.code, list.stderr]).toEqual([0, '']);
    expect(list.stdout).toContain('finished');

    stack.signal('SIGINT');
    expect((await stack.finished).code).toBe(0);
  });
});

it('doctor looks at each service of an installation: answer, certificate, clock, version, disk and GPU', async () => {
  const stack = startLunastream(
    folder,
    ...[
      'up',
      '--data',
      data,
      '--workers',
      '1',
      '--port',
      '0',
      '--out',
      'doctor-runs',
      '--state',
      'doctor-state',
    ],
    ...['--prometheus', '--json', ...TLS_FLAGS],
  );
  const [line] = await stack.output(/^\{.*\}$/m);
  const { trainer, chunkCache, workers, scrapeTargets } = JSON.parse(line) as {
    trainer: string;
    chunkCache: string;
    workers: string[];
    scrapeTargets: { address: string }[];
  };
  const pages = scrapeTargets.map(({ address }) => address);
  const addresses = ['--trainer', trainer, '--chunk-cache', chunkCache, '--workers', workers.join()];
  const examine = async (...flags: string[]) => {
    const { code, stdout, stderr } = await lunastream(folder, 'doctor', ...addresses, '--json', ...flags);
    const findings = stdout
      .trimEnd()
      .split('\n')
      .map((each) => JSON.parse(each) as { check: string; verdict: string; detail: string });
    return { code, stderr, findings };
  };

  const { code, stderr, findings } = await examine('--metrics', pages.join(), ...TLS_FLAGS);
  expect([code, stderr]).toEqual([0, '']);
  const details = (check: string) =>
    findings.filter((finding) => finding.check === check).map(({ detail }) => detail);
  for (const check of [`chunk-cache ${chunkCache}`, `augmentation ${workers[0]}`, `trainer ${trainer}`])
    expect(details(check)).toEqual([
      expect.stringMatching(/ answers after \d+ ms$/),
      expect.stringMatching(/^certificate expires on \d{4}-\d\d-\d\d$/),
    ]);
  expect(pages).toHaveLength(3);
  for (const page of pages) {
    expect(details(`clock of ${page}`)).toEqual([expect.stringMatching(/^differs by \d+ s$/)]);
    expect(details(`version of ${page}`)).toEqual([expect.stringMatching(/^(\S+), this command is \1$/)]);
  }
  expect(details('disk of .')).toEqual([expect.stringMatching(/GiB free$/)]);
  expect(details('GPU of this machine')).toHaveLength(1);

  const stranger = await examine('--tls-ca', 'other-tls/ca.crt');
  expect(stranger.code).toBe(1);
  for (const { check, verdict } of stranger.findings.slice(0, 3))
    expect([check, verdict]).toEqual([check, 'failed']);

  stack.signal('SIGINT');
  expect((await stack.finished).code).toBe(0);
});

describe('a service told to listen beyond this machine', () => {
  it.each([
    ['chunk-cache', 'CHUNK_CACHE', { CHUNK_CACHE_DATASETS: 'default=data' }],
    ['augmentation', 'AUGMENTATION', {}],
    ['trainer', 'TRAINER', {}],
  ] as const)('%s refuses without TLS, with code 2', async (name, prefix, environment) => {
    const service = startService(name, folder, { ...environment, [`${prefix}_LISTEN`]: '0.0.0.0:0' });
    const { code, stdout, stderr } = await service.finished;
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      /^Cannot listen on 0\.0\.0\.0:0: addresses beyond this machine need TLS; [^\n]*\n$/,
    );
  });

  it('the trainer refuses with TLS, too, while anyone could start runs', async () => {
    const tls = (name: string) => join(folder, 'tls', name);
    const service = startService('trainer', folder, {
      TRAINER_LISTEN: '0.0.0.0:0',
      LUNASTREAM_TLS_CERT: tls('tls.crt'),
      LUNASTREAM_TLS_KEY: tls('tls.key'),
    });
    const { code, stderr } = await service.finished;
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Cannot listen on 0\.0\.0\.0:0: whoever reaches it could start and stop runs; /);
  });
});

/** PEM files for the host names of one service, below `folder`, as variables of that service. */
async function tlsFilesOf(authority: DevelopmentAuthority, folder: string, host: string) {
  const { certificatePem, keyPem } = await authority.issue({ name: host, hosts: [host] });
  const path = (name: string) => join(folder, `${host}.${name}`);
  await writeFile(path('crt'), certificatePem);
  await writeFile(path('key'), keyPem);
  await writeFile(path('ca'), authority.certificatePem);
  return {
    LUNASTREAM_TLS_CERT: path('crt'),
    LUNASTREAM_TLS_KEY: path('key'),
    LUNASTREAM_TLS_CA: path('ca'),
  };
}

describe.skipIf(process.platform !== 'linux')('workers behind a name, with mutual TLS', () => {
  const NAME = 'workers.test';

  it('must have the certificate of that name, whatever address it stands for; others get no lease', async () => {
    const authority = await DevelopmentAuthority.create('authority', {
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
    });
    const local = await tlsFilesOf(authority, folder, 'localhost');
    const named = await tlsFilesOf(authority, folder, NAME);
    const other = await tlsFilesOf(authority, folder, 'other.test');
    const security = ConnectionSecurity.open(compileConfig(securitySettings, local));
    onTestFinished(() => security.close());
    const bench = await FaultBench.start({ environment: local, connect: { security } });
    onTestFinished(() => bench.close());
    const undisturbed = await bench.undisturbed();

    // Of the same authority, but not of this name: "localhost" would be right for 127.0.0.1, were it asked for by number.
    const [numbered, stranger] = [await bench.startWorker(), await bench.startWorker(other)];
    const port = numbered.address.split(':')[1]!;
    await bench.startProxy(stranger.address, { listen: `127.0.0.2:${port}` });
    const dns = await startFakeDns(bench.folder, NAME);
    await dns.setAddresses(['127.0.0.1', '127.0.0.2']);
    const trainer = await bench.startTrainer([`dns:///${NAME}:${port}`], dns.environment);
    const run = await bench.startRun(trainer);
    await run.progress(
      ({ waitingFor }) => waitingFor.split(`Host: ${NAME}. is not in the cert's altnames`).length === 3,
    );

    const rightful = await bench.startWorker({ ...named, AUGMENTATION_LISTEN: `127.0.0.3:${port}` });
    await dns.setAddresses(['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    expect(await run.result()).toEqual(undisturbed);
    await Promise.all([trainer, numbered, stranger, rightful].map((service) => service.stop()));
  });
});
