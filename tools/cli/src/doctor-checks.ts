import { status, Metadata, type Client } from '@grpc/grpc-js';
import { existsSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { connect as connectTls } from 'node:tls';
import {
  AugmentationServiceClient,
  ChunkServiceClient,
  StreamSamplesRequest,
  TrainingServiceClient,
} from '@lunastream/contracts';
import {
  callUnary,
  createClient,
  errorText,
  hostOf,
  isLoopback,
  isServiceError,
  readStream,
  type ClientConstructor,
  type ConnectionSecurity,
} from '@lunastream/service-kit';

/** What a check found, for people: "failed" keeps a run from going well, "warning" soon will. */
export interface Finding {
  readonly check: string;
  readonly verdict: 'ok' | 'warning' | 'failed';
  readonly detail: string;
}

const CALL_TIMEOUT_MS = 10_000;
const DAY_MS = 86_400_000;
/** Certificates that expire sooner are warned of: enough to renew by hand. */
const EXPIRY_WARNING_DAYS = 14;
/** Less than a data set's chunks take; below a tenth of it, runs cannot write checkpoints. */
const LOW_SPACE_BYTES = 10 * 2 ** 30;
/** Clocks that differ by more make certificates and logs of several machines hard to read. */
const CLOCK_WARNING_MS = 5_000;
const UNREACHABLE: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]);

/** The services that can be asked, each by a call that changes nothing. */
export const SERVICE_CHECKS = {
  'chunk-cache': (address: string, security: ConnectionSecurity) =>
    ask(ChunkServiceClient, address, security, (client) =>
      callUnary(
        client.getChunkStats.bind(client),
        {},
        { metadata: new Metadata(), timeoutMs: CALL_TIMEOUT_MS },
      ),
    ),
  // A lease of nothing is refused, which is an answer, too.
  augmentation: (address: string, security: ConnectionSecurity) =>
    ask(AugmentationServiceClient, address, security, async (client) => {
      const deadline = Date.now() + CALL_TIMEOUT_MS;
      const answers = readStream(client.streamSamples(StreamSamplesRequest.create(), { deadline }));
      for await (const _ of answers) return;
    }),
  trainer: (address: string, security: ConnectionSecurity) =>
    ask(TrainingServiceClient, address, security, (client) =>
      callUnary(
        client.listRuns.bind(client),
        { tbPrefix: '', limit: 1 },
        { metadata: new Metadata(), timeoutMs: CALL_TIMEOUT_MS },
      ),
    ),
} as const;

async function ask<Connected extends Client>(
  Constructor: ClientConstructor<Connected>,
  address: string,
  security: ConnectionSecurity,
  call: (client: Connected) => Promise<unknown>,
): Promise<Pick<Finding, 'verdict' | 'detail'>> {
  const client = createClient(Constructor, address, { security });
  const startMs = performance.now();
  try {
    await call(client);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    if (UNREACHABLE.has(error.code))
      return {
        verdict: 'failed',
        detail: `${address} does not answer: ${errorText(error).replace(/\. Resolution note:.*$/s, '')}`,
      };
  } finally {
    client.close();
  }
  return { verdict: 'ok', detail: `${address} answers after ${(performance.now() - startMs).toFixed(0)} ms` };
}

/** When the certificate expires that a server shows; undefined without TLS. */
export async function peerExpiry(address: string, { tls }: ConnectionSecurity): Promise<Date | undefined> {
  if (tls === undefined) return undefined;
  const { certificate, key, authority } = tls.material;
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const host = hostOf(address);
  const servername = isLoopback(address) ? 'localhost' : host;
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host,
      port,
      servername,
      cert: certificate,
      key,
      ca: authority,
      ALPNProtocols: ['h2'],
    });
    socket.setTimeout(CALL_TIMEOUT_MS, () => socket.destroy(new Error('no handshake in time')));
    socket.once('error', reject).once('secureConnect', () => {
      resolve(new Date(socket.getPeerCertificate().valid_to));
      socket.destroy();
    });
  });
}

/** What to say of a certificate that expires at `expiry`. */
export function expiryFinding(check: string, expiry: Date, nowMs: number): Finding {
  const days = Math.floor((expiry.getTime() - nowMs) / DAY_MS);
  const verdict = days < 0 ? 'failed' : days < EXPIRY_WARNING_DAYS ? 'warning' : 'ok';
  return {
    check,
    verdict,
    detail: `certificate ${days < 0 ? 'expired' : 'expires'} on ${expiry.toISOString().slice(0, 10)}`,
  };
}

/** What to say of the free space of a folder's disk. */
export async function diskFinding(folder: string): Promise<Finding> {
  const check = `disk of ${folder}`;
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  const verdict =
    freeBytes < LOW_SPACE_BYTES / 10 ? 'failed' : freeBytes < LOW_SPACE_BYTES ? 'warning' : 'ok';
  return { check, verdict, detail: `${(freeBytes / 2 ** 30).toFixed(1)} GiB free` };
}

/** Clock and version of a service, from the page that Prometheus scrapes. Rejects when it cannot be read. */
export async function metricsFindings(address: string, version: string): Promise<Finding[]> {
  const response = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  const text = await response.text();
  const served = /^target_info\{.*?service_version="([^"]*)"/m.exec(text)?.[1];
  const servedMs = Date.parse(response.headers.get('date') ?? '');
  // The header has whole seconds.
  const offsetMs = Math.abs(Date.now() - servedMs);
  const clock: Finding = Number.isNaN(servedMs)
    ? { check: `clock of ${address}`, verdict: 'warning', detail: 'it tells no time' }
    : {
        check: `clock of ${address}`,
        verdict: offsetMs > CLOCK_WARNING_MS ? 'warning' : 'ok',
        detail: `differs by ${(offsetMs / 1000).toFixed(0)} s`,
      };
  const versions: Finding = {
    check: `version of ${address}`,
    verdict: served === version ? 'ok' : 'warning',
    detail: `${served ?? 'unknown'}, this command is ${version}`,
  };
  return [clock, versions];
}

/** What computes: NVIDIA's driver shows one file a GPU, all others one in /dev/dri that needs no display. */
const GPU_FILES = [
  ['/dev', /^nvidia\d+$/],
  ['/dev/dri', /^renderD\d+$/],
] as const;

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Which GPUs this machine, or this container of it, shows to programs: of several any number, so not the first alone. */
export function gpuFinding(list: (folder: string) => readonly string[] = namesIn): Finding {
  const devices = GPU_FILES.flatMap(([folder, pattern]) =>
    list(folder)
      .filter((name) => pattern.test(name))
      .map((name) => `${folder}/${name}`),
  );
  return {
    check: 'GPU of this machine',
    verdict: 'ok',
    detail:
      devices.length === 0 ? 'none: the simd engine computes on the CPU' : `found ${devices.join(', ')}`,
  };
}
