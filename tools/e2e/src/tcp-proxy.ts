import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { addressToHostPort } from './host-port.ts';

/** How a proxy carries what the server sends; at once, and at a port that the system chooses, unless said. */
export interface ProxyOptions {
  /** "host:port" that it listens on. */
  readonly listen?: string;
  /** Milliseconds that every piece takes longer. */
  readonly delayMs?: number;
  /** Of every `lossEvery` pieces one is "lost": it, and all behind it, come `lossDelayMs` later, as TCP would have it. */
  readonly lossEvery?: number;
  readonly lossDelayMs?: number;
}

/**
 * A TCP proxy in front of a server that tests disturb: it counts what the server sends, stops it after so many bytes, and
 * finds the server again when it comes back at another port, so that no test needs a port that is free twice.
 */
export class TcpProxy {
  /** "host:port" that clients connect to. */
  readonly address: string;
  readonly #server: Server;
  readonly #options: ProxyOptions;
  readonly #sockets = new Set<Socket>();
  #target: string;
  #passedBytes = 0;
  #limitBytes = Infinity;
  #onLimit: () => void = () => undefined;

  private constructor(server: Server, target: string, options: ProxyOptions) {
    this.#server = server;
    this.#target = target;
    this.#options = options;
    const { address, port } = server.address() as AddressInfo;
    this.address = `${address}:${port}`;
    server.on('connection', (client) => this.#join(client));
  }

  /** Starts a proxy in front of `target`, "host:port". */
  static async start(target: string, options: ProxyOptions = {}): Promise<TcpProxy> {
    const server = createServer();
    server.listen(addressToHostPort(options.listen ?? '127.0.0.1:0'));
    await once(server, 'listening');
    return new TcpProxy(server, target, options);
  }

  /** Bytes that the server sent and clients got, over all connections. */
  get passedBytes(): number {
    return this.#passedBytes;
  }

  /** Sends new connections to `target`. */
  retarget(target: string): void {
    this.#target = target;
  }

  /**
   * Resolves once `bytes` more have passed; from then on nothing passes until `release` is called. What is under way then
   * has been cut short for sure.
   */
  holdAfter(bytes: number): Promise<void> {
    this.#limitBytes = this.#passedBytes + bytes;
    return new Promise((resolve) => (this.#onLimit = resolve));
  }

  /** Lets everything pass again. */
  release(): void {
    this.#limitBytes = Infinity;
    for (const socket of this.#sockets) socket.emit('released');
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    const server = connect(addressToHostPort(this.#target));
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        (socket === client ? server : client).destroy();
      });
    }
    client.pipe(server);
    void this.#carry(server, client);
  }

  /** Carries what the server sends, piece by piece. */
  async #carry(server: Socket, client: Socket): Promise<void> {
    const { delayMs = 0, lossEvery = 0, lossDelayMs = 0 } = this.#options;
    let pieces = 0;
    try {
      for await (const piece of server as AsyncIterable<Buffer>) {
        pieces++;
        const isLost = lossEvery > 0 && pieces % lossEvery === 0;
        const waitMs = delayMs + (isLost ? lossDelayMs : 0);
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        for (let rest = piece; rest.length > 0;) rest = await this.#pass(rest, client);
      }
    } catch {
      // The connection broke: both ends are closed by their listeners.
    }
  }

  /** Passes what may pass now; returns the rest. */
  async #pass(piece: Buffer, client: Socket): Promise<Buffer> {
    const allowed = Math.min(piece.length, this.#limitBytes - this.#passedBytes);
    if (allowed <= 0) {
      await Promise.race([once(client, 'released'), once(client, 'close')]);
      if (client.destroyed) throw new Error('the client went away');
      return piece;
    }
    this.#passedBytes += allowed;
    const flushed = client.write(piece.subarray(0, allowed));
    if (this.#passedBytes >= this.#limitBytes) this.#onLimit();
    if (!flushed) await Promise.race([once(client, 'drain'), once(client, 'close')]);
    return piece.subarray(allowed);
  }
}
