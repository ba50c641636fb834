import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { withTemporaryFolder } from './temporary-folder.ts';

/** Whether Debian's redis-server is here; tests that need it name it and are skipped without. */
export const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0;

/** A port of this machine that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A real server that keeps nothing on disk; tests kill it and start it again at the same address. */
export class RedisServer {
  readonly #port: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  constructor(port: number, folder: string) {
    this.#port = port;
    this.#folder = folder;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Starts it, empty, and resolves when it answers. */
  async start(): Promise<void> {
    const keepNothing = ['--save', '', '--appendonly', 'no', '--dir', this.#folder];
    const args = ['--port', String(this.#port), '--bind', '127.0.0.1', ...keepNothing];
    this.#process = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const text of this.#process.stdout!) if (/Ready to accept/.test(String(text))) return;
    throw new Error(`redis-server did not start on port ${this.#port}`);
  }

  /** Kills it without a word and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Entries that it holds now. */
  async entryCount(): Promise<number> {
    const socket = connect(this.#port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('DBSIZE\r\n');
    const [reply] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return Number(/^:(\d+)/.exec(reply.toString())?.[1]);
  }
}

/** Runs `use` with a server that is started, and kills that whatever happens. */
export async function withRedisServer(use: (server: RedisServer) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const server = new RedisServer(await freePort(), folder);
    try {
      await server.start();
      await use(server);
    } finally {
      await server.kill();
    }
  });
}
