import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const DURATION_MS = 1_500;

/** What raw grpc-js is asked to carry. */
export interface RawLoad {
  readonly messageBytes: number;
  /** Streams at a time on one connection. */
  readonly streams: number;
}

/** Bytes a second that grpc-js carries between two processes of their own, when nothing else is done with them. */
export async function rawBytesPerSecond({ messageBytes, streams }: RawLoad): Promise<number> {
  const server = forkPeer('serve');
  try {
    const { address } = await firstMessage<{ address: string }>(server);
    const client = forkPeer('receive', address, ...[messageBytes, DURATION_MS, streams].map(String));
    return (await firstMessage<{ bytesPerSecond: number }>(client)).bytesPerSecond;
  } finally {
    server.kill();
    await once(server, 'exit');
  }
}

function forkPeer(...args: string[]): ChildProcess {
  return fork(fileURLToPath(new URL('./raw-grpc-peer.js', import.meta.url)), args);
}

async function firstMessage<Message>(child: ChildProcess): Promise<Message> {
  const ended = once(child, 'exit').then(() => {
    throw new Error('the raw peer ended before it answered');
  });
  ended.catch(() => undefined);
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [Message];
  return message;
}
