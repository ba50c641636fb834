/**
 * What grpc-js carries when nothing else is done: a process that streams buffers to another, bytes in, bytes out, with the
 * window of our channels. Started twice by raw-grpc.ts: `serve`, then
 * `receive <address> <message bytes> <ms> <streams>`.
 */
import { performance } from 'node:perf_hooks';
import {
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ClientReadableStream,
  type ServerWritableStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { createClient, type ClientConstructor } from '@lunastream/service-kit';

const SIZE_BYTES = 4;

const asIs = (bytes: Buffer) => bytes;
const definition: ServiceDefinition = {
  stream: {
    path: '/bench.Raw/Stream',
    requestStream: false,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};

/** Sends messages of the size that is asked for until the client has enough. */
async function stream(call: ServerWritableStream<Buffer, Buffer>): Promise<void> {
  const message = Buffer.alloc(call.request.readUInt32LE());
  const gone = new Promise<void>((resolve) => call.once('cancelled', resolve));
  while (!call.cancelled) {
    if (!call.write(message)) {
      await Promise.race([new Promise<void>((resolve) => call.once('drain', resolve)), gone]);
    }
  }
}

async function serve(): Promise<void> {
  const server = new Server();
  server.addService(definition, {
    stream: (call: ServerWritableStream<Buffer, Buffer>) => void stream(call),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  process.send!({ address: `127.0.0.1:${port}` });
}

interface RawClient {
  stream(request: Buffer): ClientReadableStream<Buffer>;
  close(): void;
}

/** Bytes a second over `durationMs`, after as long to warm up. */
async function receive(
  address: string,
  { messageBytes, durationMs, streams }: { messageBytes: number; durationMs: number; streams: number },
): Promise<void> {
  const RawClient = makeGenericClientConstructor(
    definition,
    'Raw',
  ) as unknown as ClientConstructor<RawClient>;
  const client = createClient(RawClient, address);
  const request = Buffer.alloc(SIZE_BYTES);
  request.writeUInt32LE(messageBytes);
  let receivedBytes = 0;
  const calls = Array.from({ length: streams }, () => {
    const call = client.stream(request);
    call.on('data', (bytes: Buffer) => (receivedBytes += bytes.length));
    call.on('error', () => undefined);
    return call;
  });
  const pause = () => new Promise((resolve) => setTimeout(resolve, durationMs));
  await pause();
  const [startBytes, startMs] = [receivedBytes, performance.now()];
  await pause();
  const bytesPerSecond = (1000 * (receivedBytes - startBytes)) / (performance.now() - startMs);
  for (const call of calls) call.cancel();
  client.close();
  process.send!({ bytesPerSecond });
}

const [role, address, ...load] = process.argv.slice(2);
const [messageBytes, durationMs, streams] = load.map(Number) as [number, number, number];
if (role === 'serve') await serve();
else await receive(address!, { messageBytes, durationMs, streams });
process.once('disconnect', () => process.exit());
if (role !== 'serve') process.disconnect();
