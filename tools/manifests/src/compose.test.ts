import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { COMPOSE_RULES } from './compose-rules.ts';
import { composeSchemaFaults, overlayCompose, readCompose, type Compose } from './compose.ts';
import { readImageFolders, readServiceFacts, type ServiceFacts } from './service-facts.ts';

const FOLDER = join(workspaceRoot, 'deploy');
const FILE = join(FOLDER, 'compose.yaml');
const text = readFileSync(FILE, 'utf8');

let facts: ServiceFacts;
beforeAll(() => {
  facts = readServiceFacts(workspaceRoot);
});

const brokenRules = (compose: Compose) =>
  COMPOSE_RULES.flatMap((rule) =>
    rule({ folder: FOLDER, compose, facts, imageFolders: readImageFolders(workspaceRoot) }),
  );

describe('deploy/compose.yaml', () => {
  it('keeps the schema of the Compose specification', () => {
    expect(composeSchemaFaults(FILE)).toEqual([]);
  });

  it('agrees with services, images and files', () => {
    expect(brokenRules(readCompose(FILE))).toEqual([]);
  });

  it('has everything that a machine needs', () => {
    const { services } = readCompose(FILE);
    expect(Object.keys(services).sort()).toEqual(
      [
        ...['chunk-cache', 'augmentation', 'trainer', 'cli'],
        ...['valkey', 'otel-collector', 'prometheus', 'grafana'],
      ].sort(),
    );
  });

  it('is scraped at the port that its services listen on, as the job that alerts ask for', () => {
    const { services } = readCompose(FILE);
    const { scrape_configs: scrapes } = parse(
      readFileSync(join(FOLDER, 'prometheus/compose.yml'), 'utf8'),
    ) as {
      scrape_configs: { job_name: string; dns_sd_configs: { names: string[]; port: number }[] }[];
    };
    expect(scrapes.map(({ job_name: job }) => job)).toEqual(['lunastream']);
    const [found] = scrapes[0]!.dns_sd_configs;
    const ports = Object.fromEntries(
      Object.entries(services).flatMap(([name, { environment }]) => {
        const listen = environment?.['LUNASTREAM_PROMETHEUS_LISTEN'];
        return listen === undefined ? [] : [[name, listen]];
      }),
    );
    expect(ports).toEqual(Object.fromEntries(found!.names.map((name) => [name, `0.0.0.0:${found!.port}`])));
  });

  it("gives Grafana's provisioning every variable that it asks for", () => {
    const grafana = readCompose(FILE).services['grafana']!;
    const provisioning = ['dashboards/lunastream.yaml', 'datasources/prometheus.yaml']
      .map((name) => readFileSync(join(FOLDER, 'grafana/provisioning', name), 'utf8'))
      .join('\n');
    const asked = [...provisioning.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name!);
    const given = Object.keys(grafana.environment ?? {}).filter((name) => !name.startsWith('GF_'));
    expect(given.sort()).toEqual([...new Set(asked)].sort());
    const dashboards = grafana.environment?.['LUNASTREAM_DASHBOARDS'];
    expect(grafana.volumes).toContain(`./grafana/dashboards:${dashboards}:ro`);
  });
});

describe('deploy/compose.gpu-nvidia.yaml', () => {
  const FILE_OF_GPU = join(FOLDER, 'compose.gpu-nvidia.yaml');
  const withGpu = () => overlayCompose(readCompose(FILE), readCompose(FILE_OF_GPU));

  it('keeps the schema, and with compose.yaml agrees with services, images and files', () => {
    expect(composeSchemaFaults(FILE_OF_GPU)).toEqual([]);
    expect(brokenRules(withGpu())).toEqual([]);
  });

  it('gives the trainer a GPU and the image that computes on it, and changes no more', () => {
    const { trainer, ...others } = withGpu().services;
    const { trainer: before, ...othersBefore } = readCompose(FILE).services;
    expect(others).toEqual(othersBefore);
    expect(trainer).toMatchObject({ environment: before!.environment, volumes: before!.volumes });
    expect(trainer!.image).toMatch(/\/trainer-webgpu:/);
  });

  it.each([
    ['a GPU for an image that cannot use it', { image: 'lunastream/trainer:0.1.0' }],
    ['an image for a GPU without one', { deploy: {} }],
  ])('is refused with a planted fault: %s', (_name, fault) => {
    const compose = withGpu();
    const trainer = { ...compose.services['trainer']!, ...fault };
    expect(brokenRules({ ...compose, services: { ...compose.services, trainer } }).join('\n')).toMatch(
      /trainer: a GPU and an image of trainer-webgpu, trainer-tensorflow must come together/,
    );
  });
});

it('images say the version of the repository on their label', () => {
  const containerfile = readFileSync(join(FOLDER, 'images/Containerfile'), 'utf8');
  expect(/^ARG VERSION=(\S+)$/m.exec(containerfile)?.[1]).toBe(facts.version);
  expect(containerfile).toContain('org.opencontainers.image.version="${VERSION}"');
});

describe("the collector's configuration", () => {
  it('puts together only what it defines, and listens where services send', () => {
    const collector = parse(readFileSync(join(FOLDER, 'otel/collector.yaml'), 'utf8')) as Record<
      'receivers' | 'processors' | 'exporters' | 'extensions',
      Record<string, unknown>
    > & {
      service: { extensions: string[]; pipelines: Record<string, Record<string, string[]>> };
    };
    const withoutDefault = (name: string) => /^\$\{env:\w+:-(.*)\}$/.exec(name)?.[1] ?? name;
    for (const pipeline of Object.values(collector.service.pipelines))
      for (const part of ['receivers', 'processors', 'exporters'] as const)
        for (const name of pipeline[part]!)
          expect(Object.keys(collector[part])).toContain(withoutDefault(name));
    expect(Object.keys(collector.extensions)).toEqual(collector.service.extensions);
    const endpoint = readCompose(FILE).services['trainer']!.environment!['OTEL_EXPORTER_OTLP_ENDPOINT'];
    expect(collector.receivers).toHaveProperty(
      'otlp.protocols.grpc.endpoint',
      endpoint!.replace('http://otel-collector', '0.0.0.0'),
    );
  });
});

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
it.skipIf(!hasPromtool)("Prometheus takes the Compose file's configuration [needs promtool]", () => {
  const output = execFileSync('promtool', ['check', 'config', join(FOLDER, 'prometheus/compose.yml')], {
    encoding: 'utf8',
  });
  expect(output).toMatch(/1 rule files found/);
});

type Planted = readonly [name: string, pattern: RegExp, replacement: string, fault: RegExp];

/** Changes of the file's text that the schema or the linter must refuse. */
const PLANTED_IN_FIELDS: readonly Planted[] = [
  ['a field that Compose does not know', /stop_grace_period/, 'stop_period', /must NOT have additional/],
  ['a list that is none', /expose: \['6379'\]/, 'expose: 6379', /must be array/],
  ['an image without a version', /(prom\/prometheus):\S+/, '$1', /service-image-require-explicit-tag/],
];

/** And those that rules must refuse. */
const PLANTED: readonly Planted[] = [
  [
    'a variable that is no setting',
    /CHUNK_CACHE_DATASETS/,
    'CHUNK_CACHE_DATASET',
    /chunk-cache: CHUNK_CACHE_DATASET must be a setting of chunk-cache/,
  ],
  [
    'an address of nobody',
    /dns:\/\/\/augmentation:50052/,
    'dns:///workers:50052',
    /TRAINER_WORKER_ADDRESSES must name a service and a port that it listens on, got workers:50052/,
  ],
  [
    'a port that nobody listens on',
    /AUGMENTATION_LISTEN: 0\.0\.0\.0:50052/,
    'AUGMENTATION_LISTEN: 0.0.0.0:50062',
    /got augmentation:50052/,
  ],
  [
    'a published port that nobody listens on',
    /\}:50053'/,
    "}:50054'",
    /trainer: ports must be .* listened on/,
  ],
  [
    'a port that everybody reaches',
    /127\.0\.0\.1:(\$\{PROMETHEUS_PORT)/,
    '0.0.0.0:$1',
    /prometheus: ports must be of this machine only/,
  ],
  ['a port twice', /PROMETHEUS_PORT:-9090/, 'PROMETHEUS_PORT:-3000', /port 3000 must be published once/],
  ['a store that is not there', /redis:\/\/valkey:6379/, 'redis://redis:6379', /got redis:6379/],
  [
    'another target than the image',
    /target: trainer/,
    'target: chunk-cache',
    /build\.target must be trainer, got chunk-cache/,
  ],
  [
    'another version',
    /lunastream\/trainer:0\.1\.0/,
    'lunastream/trainer:0.0.9',
    /must have the tag .*, got lunastream\/trainer:0\.0\.9/,
  ],
  ['an image that nobody builds', /lunastream\/augmentation:/, 'lunastream/worker:', /deploy\/images builds/],
  ['a version that may change', /(valkey\/valkey):\S+/, '$1:8', /must have a whole version as its tag/],
  [
    'a file that is not there',
    /\.\/otel\/collector\.yaml:/,
    './otel/config.yaml:',
    /\.\/otel\/config\.yaml must exist to be mounted/,
  ],
  ['a file that may be written', /(dashboards):ro/, '$1', /must be mounted read-only/],
  ['a volume that is not declared', /- runs:/, '- run:', /volume run must be declared/],
  [
    'a folder outside volumes',
    /CHUNK_CACHE_COPY_FOLDER: \S+/,
    'CHUNK_CACHE_COPY_FOLDER: /volumes',
    /CHUNK_CACHE_COPY_FOLDER must be a volume and a folder of the image, got \/volumes/,
  ],
  [
    'a health check that asks for nothing',
    /probe\.mjs, readiness/,
    'probe.mjs, health',
    /healthcheck must run/,
  ],
  [
    'a grace period that is shorter than the drain',
    /stop_grace_period: 60s/,
    'stop_grace_period: 30s',
    /stop_grace_period must be at least 40s, got 30s/,
  ],
  ['a root file system that can be written', /read_only: true/, 'read_only: false', /read_only must be true/],
  ['root', /user: '999:999'/, "user: '0:0'", /valkey: user must be a number other than 0/],
];

describe('a planted fault is refused', () => {
  it.each(PLANTED_IN_FIELDS)('%s', (_name, pattern, replacement, fault) => {
    expect(text).toMatch(pattern);
    const folder = mkdtempSync(join(tmpdir(), 'lunastream-compose-'));
    try {
      const path = join(folder, 'compose.yaml');
      writeFileSync(path, text.replace(pattern, replacement));
      expect(composeSchemaFaults(path).join('\n')).toMatch(fault);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(PLANTED)('%s', (_name, pattern, replacement, fault) => {
    expect(text).toMatch(pattern);
    const changed = parse(text.replace(pattern, replacement), { merge: true }) as Compose;
    expect(brokenRules(changed).join('\n')).toMatch(fault);
  });
});
