import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll } from 'vitest';

/** How a process ended and what it wrote. */
export interface FinishedProcess {
  /** Exit code, or the name of the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** What to start. */
export interface ProcessOptions {
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What the command line starts with, for example to run it in another network. */
  readonly within?: readonly string[];
}

/** Where programs of the system are that `within` may name. */
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

const started: ProcessRun[] = [];

// No process outlives the tests of its file, however they end.
afterAll(async () => {
  for (const run of started) run.signal('SIGKILL');
  await Promise.all(started.map(({ finished }) => finished));
});

/** A Node process under test. */
export class ProcessRun {
  readonly #child: ChildProcess;
  readonly #finished: Promise<FinishedProcess>;
  #stdout = '';
  #stderr = '';
  #onOutput: (() => void) | undefined;

  constructor(
    script: string,
    args: readonly string[],
    { cwd, environment = {}, within = [] }: ProcessOptions,
  ) {
    const [command, ...rest] = [...within, process.execPath, script, ...args];
    this.#child = spawn(command!, rest, {
      cwd,
      env: { HOME: cwd, ...(within.length > 0 ? { PATH: SYSTEM_PATH } : {}), ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#onOutput?.();
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#finished = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#onOutput?.();
        resolve({ code: code ?? String(signal), stdout: this.#stdout, stderr: this.#stderr });
      });
    });
    started.push(this);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves when the process has ended and its output is read. */
  get finished(): Promise<FinishedProcess> {
    return this.#finished;
  }

  signal(name: 'SIGINT' | 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name);
  }

  /** First message that the process sends to its parent. Rejects when it ends without one. */
  message<Message>(): Promise<Message> {
    return new Promise((resolve, reject) => {
      this.#child.once('message', (message) => resolve(message as Message));
      void this.#finished.then(({ code, stderr }) =>
        reject(new Error(`the process ended with ${code} before it was ready\n${stderr}`)),
      );
    });
  }

  /** Waits until standard output matches `pattern`. Rejects when the process ends first. */
  async output(pattern: RegExp): Promise<RegExpExecArray> {
    let ended = false;
    void this.#finished.then(() => (ended = true));
    for (;;) {
      const match = pattern.exec(this.#stdout);
      if (match !== null) return match;
      if (ended)
        throw new Error(`the process ended without writing ${pattern}\n${this.#stdout}${this.#stderr}`);
      await new Promise<void>((resolve) => (this.#onOutput = resolve));
    }
  }
}

/** Whether a process of this id runs; one that ended and is not yet collected by its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== 'linux') return true;
  const [, state] = /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return state !== 'Z';
}
