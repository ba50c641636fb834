import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
} from 'node:tls';
import { hostOf } from './peer-address.ts';
import type { TlsMaterial, TlsWatcher } from './tls-watcher.ts';

/** Connections at a time: one per process that talks to us. More are closed at once. */
const MAX_CONNECTIONS = 1024;
/** Below it lie known weaknesses. */
const MIN_TLS_VERSION = 'TLSv1.2';

/** Names a connection: where its client is. */
export interface PeerInfo {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

export interface ConnectionListenerOptions {
  /** Undefined takes connections without TLS. */
  readonly tls: TlsWatcher | undefined;
  readonly handshakeTimeoutMs: number;
  /** Gets every connection whose handshake is done. */
  readonly take: (socket: Socket) => void;
}

/** Takes connections, does the TLS handshake, and hands over the sockets: grpc-js gives no hand in either. */
export class ConnectionListener {
  readonly #server: Server;
  readonly #sockets = new Map<string, Socket>();
  readonly #stopWatching: () => void;

  constructor({ tls, handshakeTimeoutMs, take }: ConnectionListenerOptions) {
    const add = (socket: Socket) => {
      const name = peerName(socket);
      this.#sockets.set(name, socket);
      // What breaks a connection is told by its calls; without a listener an error would end the process.
      socket.on('error', () => undefined);
      socket.once('close', () => this.#sockets.delete(name));
      take(socket);
    };
    if (tls === undefined) {
      this.#server = createServer(add);
      this.#stopWatching = () => undefined;
    } else {
      const server = createTlsServer(
        {
          ...contextOf(tls.material),
          ALPNProtocols: ['h2'],
          handshakeTimeout: handshakeTimeoutMs,
          ...clientCheck(tls.material),
        },
        add,
      );
      this.#stopWatching = tls.onChange((material) => server.setSecureContext(contextOf(material)));
      this.#server = ignoreBadHandshakes(server);
    }
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Listens on `address` ("host:port") and returns the port that it got; rejects when it cannot. */
  async listen(address: string): Promise<number> {
    const port = Number(address.slice(address.lastIndexOf(':') + 1));
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: hostOf(address), port }, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Closes the connection of `peer` with all its calls, at once. */
  drop(peer: PeerInfo): void {
    this.#sockets.get(peerName(peer))?.destroy();
  }

  /** Takes no more connections; those that are open go on. */
  close(): void {
    this.#stopWatching();
    this.#server.close();
  }

  /** Ends the connections that are still open. */
  dropAll(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}

function peerName({ remoteAddress, remotePort }: PeerInfo): string {
  return `${remoteAddress} ${remotePort}`;
}

function contextOf({ certificate, key, authority }: TlsMaterial): SecureContextOptions {
  return { cert: certificate, key, minVersion: MIN_TLS_VERSION, ...(authority && { ca: authority }) };
}

/** Whoever names an authority wants clients to have a certificate of it. */
function clientCheck({ authority }: TlsMaterial) {
  return authority === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
}

/** A failed handshake is the client's to report. Node leaves the sockets of handshakes that took too long open. */
function ignoreBadHandshakes(server: TlsServer): TlsServer {
  return server.on('tlsClientError', (_error, socket) => socket.destroy());
}
