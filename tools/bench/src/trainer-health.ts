import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LocalStack } from '@lunastream/cli';
import { generatePhantom } from '@lunastream/phantom';
import type { EventLoopDelay } from '@lunastream/service-kit';
import { HealthProbe } from './health-probe.ts';
import type { Figures } from './suite.ts';

const run = promisify(execFile);

/** Samples that the trainer trains while it is asked. */
const EPOCH_SAMPLES = 512;
const PROBE_INTERVAL_MS = 10;

/** What the trainer is to train with. */
export interface TrainerLoad {
  readonly engine: string;
  readonly batch: number;
  readonly chunk: string;
  readonly threads: number | undefined;
}

/**
 * How fast does a trainer answer health checks while its engine trains? A whole local stack on a phantom, all on this
 * machine's cores; the bar is 50 ms.
 */
export async function healthWhileTraining(load: TrainerLoad): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'lunastream-bench-training-'));
  try {
    return await measureIn(folder, load);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measureIn(folder: string, { engine, batch, chunk, threads }: TrainerLoad): Promise<Figures> {
  const { outDir } = await generatePhantom({
    outDir: join(folder, 'data'),
    background: 'synthetic',
    seed: 1,
    scanCount: 10,
    nodulesPerScan: 2,
    negativesPerNodule: 2,
  });
  const runsFolder = join(folder, 'runs');
  const stack = await LocalStack.start({
    datasets: { default: outDir },
    workerCount: 1,
    runsFolder,
    stateFolder: join(folder, 'state'),
    trainerPort: 0,
    environment: {},
    onRestart: (sentence) => {
      throw new Error(sentence);
    },
  });
  try {
    const flags = [
      ...['--engine', engine, '--batch-size', String(batch), '--chunk', chunk, '--quiet', '--balanced'],
      ...['--epochs', '1', '--epoch-length', String(EPOCH_SAMPLES), '--comment', 'bench'],
      ...(threads === undefined ? [] : ['--threads', String(threads)]),
    ];
    const { trainer } = stack.addresses;
    const probe = new HealthProbe(trainer, PROBE_INTERVAL_MS);
    // This file runs from dist/src.
    const cli = fileURLToPath(new URL('../../../cli/dist/src/main.js', import.meta.url));
    await run(process.execPath, [cli, 'train', '--trainer', trainer, ...flags]);
    const { answers, p50Ms, p99Ms, longestMs } = probe.close();
    await stack.stop();
    const eventLoop = await readEventLoopDelay(join(folder, 'state/logs/trainer.log'));
    return {
      health_answers: answers,
      health_ms_p50: p50Ms,
      health_ms_p99: p99Ms,
      health_ms_longest: longestMs,
      trainer_event_loop_delay_ms_p99: eventLoop.p99Ms,
      trainer_event_loop_delay_ms_max: eventLoop.maxMs,
    };
  } finally {
    await stack.stop();
  }
}

/** What the trainer logs about its event loop when it stops: without what this process and the cores add to an answer. */
async function readEventLoopDelay(logPath: string): Promise<EventLoopDelay> {
  const lines = (await readFile(logPath, 'utf8')).trim().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as { eventLoopDelay?: EventLoopDelay });
  return entries.find(({ eventLoopDelay }) => eventLoopDelay !== undefined)!.eventLoopDelay!;
}
