import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { TlsWatcher } from '../tls-watcher.ts';
import { hostOf } from '../peer-address.ts';

/** Where a connection goes to. */
export interface Destination {
  /** "host:port". */
  readonly address: string;
  /** Undefined for no TLS. */
  readonly tls: TlsWatcher | undefined;
  /** Name that the server's certificate must have, where it is not the host of `address`. */
  readonly serverName: string | undefined;
  /** What connections without TLS are read into; several may share it. Undefined for memory of this module. */
  readonly receiveBuffer: Buffer | undefined;
}

/** Receives `length` bytes of a connection, the first of `bytes`, which hold them until this returns. */
export type OnBytes = (bytes: Buffer, length: number) => void;

const CONNECT_TIMEOUT_MS = 20_000;
const RECEIVE_BYTES = 2 ** 18;

/**
 * One for all connections, since whoever receives takes the bytes before the next are read. Memory of its own for each read is
 * what most of the time of receiving goes into: it comes from the system and is garbage soon.
 */
let received: Buffer | undefined;

/** A connection that is being made. */
export interface Dialled {
  readonly socket: Socket;
  /** Resolves when the server answers and is the right one; rejects with what kept it from that. */
  readonly connected: Promise<void>;
}

/** Begins to connect to a server that speaks HTTP/2. */
export function dial(destination: Destination, onBytes: OnBytes): Dialled {
  const isTls = destination.tls !== undefined;
  const socket = isTls ? dialTls(destination, onBytes) : dialPlain(destination, onBytes);
  socket.setNoDelay(true);
  const tooLate = () => socket.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`));
  const timer = setTimeout(tooLate, CONNECT_TIMEOUT_MS).unref();
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      const fault = faultOfProtocol(socket);
      if (fault === undefined) resolve();
      else socket.destroy(fault);
    });
  });
  const settled = () => clearTimeout(timer);
  connected.then(settled, settled);
  return { socket, connected };
}

function dialPlain({ address, receiveBuffer }: Destination, onBytes: OnBytes): Socket {
  const buffer = receiveBuffer ?? (received ??= Buffer.allocUnsafeSlow(RECEIVE_BYTES));
  const callback = (length: number) => {
    onBytes(buffer, length);
    return true;
  };
  return connectTcp({ ...hostAndPort(address), onread: { buffer, callback } });
}

function dialTls({ address, tls, serverName }: Destination, onBytes: OnBytes): Socket {
  const { authority, certificate, key } = tls!.material;
  const secureContext = createSecureContext({ ca: authority, cert: certificate, key });
  const place = hostAndPort(address);
  const socket = connectTls({
    ...place,
    secureContext,
    servername: serverName ?? place.host,
    ALPNProtocols: ['h2'],
  });
  socket.on('data', (bytes: Buffer) => onBytes(bytes, bytes.length));
  return socket;
}

function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  return { host: hostOf(address), port: Number(address.slice(address.lastIndexOf(':') + 1)) };
}

/** Servers that speak no HTTP/2 choose no protocol. */
function faultOfProtocol(
  socket: Socket & { readonly alpnProtocol?: string | false | null },
): Error | undefined {
  if (!('encrypted' in socket) || socket.alpnProtocol === 'h2') return undefined;
  return new Error(`the server must speak HTTP/2, got the protocol ${String(socket.alpnProtocol)}`);
}
