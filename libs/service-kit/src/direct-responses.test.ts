import { once } from 'node:events';
import {
  makeGenericClientConstructor,
  Metadata,
  status,
  type ClientReadableStream,
  type ServerWritableStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readStream, type ClientConstructor } from './grpc-client.ts';
import { writingHandler, type HandlerContext } from './handlers.ts';
import { failureOf, startInProcessServer } from './testing/index.ts';

const FRAME_HEAD_BYTES = 5;
/** Above the client's window of 1 MiB: it must be read before the next is written. */
const STALLING_BYTES = 1.25 * 2 ** 20;

/** A response: `bytes`, in a frame of its own or not. */
interface Answer {
  readonly bytes: Buffer;
  readonly isFramed: boolean;
}

type Handler = (call: ServerWritableStream<Buffer, Answer>) => void;

interface StreamClient {
  stream(request: Buffer): ClientReadableStream<Buffer>;
}

const asIs = (bytes: Buffer) => bytes;

function frameOf(bytes: Buffer): Buffer {
  const frame = Buffer.alloc(FRAME_HEAD_BYTES + bytes.length);
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, FRAME_HEAD_BYTES);
  return frame;
}

/** A server of one method, and what of its responses grpc-js copied into frames. */
async function serve(handlerIn: (context: HandlerContext) => Handler, framer = frameOf) {
  const copied: Buffer[] = [];
  const method = {
    path: '/test.Frames/Stream',
    requestStream: false,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: ({ bytes }: Answer) => {
      copied.push(bytes);
      return bytes;
    },
    responseDeserialize: asIs,
    responseFrame: ({ bytes, isFramed }: Answer) => (isFramed ? framer(bytes) : undefined),
  };
  const definition: ServiceDefinition = { stream: method };
  const server = await startInProcessServer((context) => [
    { definition, implementation: { stream: handlerIn(context) } },
  ]);
  onTestFinished(() => server.stop());
  const Client = makeGenericClientConstructor(definition, 'test.Frames');
  const client = server.connect(Client as unknown as ClientConstructor<StreamClient & { close(): void }>);
  return { open: () => client.stream(Buffer.alloc(0)), copied };
}

const answerOf = (number: number, length: number, isFramed: boolean): Answer => ({
  bytes: Buffer.alloc(length, number),
  isFramed,
});

describe('directResponses()', () => {
  it('writes frames as they are, in order with responses that grpc-js copies', async () => {
    const lengths = [10, 300_000, 0, 70_000, 1, 300_000, 5];
    const answers = lengths.map((length, index) => answerOf(index, length, index % 3 !== 2));
    const { open, copied } = await serve(() => (call) => {
      for (const answer of answers) call.write(answer);
      call.end();
    });
    const received: Buffer[] = [];
    for await (const bytes of readStream(open())) received.push(bytes);
    expect(received.map((bytes, index) => bytes.equals(answers[index]!.bytes))).toEqual(
      answers.map(() => true),
    );
    // The installed grpc-js has the field that this depends on.
    expect(copied).toEqual(answers.filter(({ isFramed }) => !isFramed).map(({ bytes }) => bytes));
  });

  it('sends the metadata of the handler before the first frame, and the status behind the last', async () => {
    let noteReceived!: () => void;
    const received = new Promise<void>((resolve) => (noteReceived = resolve));
    const { open } = await serve(() => (call) => {
      const metadata = new Metadata();
      metadata.set('from', 'handler');
      call.sendMetadata(metadata);
      call.write(answerOf(1, 100, true));
      // A client drops what it has not read when an error comes.
      void received.then(() => call.emit('error', { code: status.DATA_LOSS, details: 'the rest is lost' }));
    });
    const stream = open();
    const told = once(stream, 'metadata') as Promise<[Metadata]>;
    const pages = readStream(stream);
    expect((await pages.next()).value).toHaveLength(100);
    expect((await told)[0].get('from')).toEqual(['handler']);
    noteReceived();
    expect(await failureOf(pages.next())).toEqual({ status: 'DATA_LOSS', details: 'the rest is lost' });
  });

  it('says that a frame is sent when its memory may be used again, however slowly it is read', async () => {
    const count = 12;
    const frames: Buffer[] = [];
    const { open } = await serve(
      (context) =>
        writingHandler<Buffer, Answer>(
          context,
          async (_request, writer) => {
            for (let number = 0; number < count; number++) {
              const room = writer.write(answerOf(number, STALLING_BYTES, true));
              if (room !== undefined) await room;
            }
          },
          () => frames.shift()!.fill(0xa5),
        ),
      (bytes) => {
        frames.push(frameOf(bytes));
        return frames.at(-1)!;
      },
    );
    let number = 0;
    for await (const bytes of readStream(open())) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(bytes.equals(Buffer.alloc(STALLING_BYTES, number++))).toBe(true);
    }
    expect(number).toBe(count);
  });

  it('stops with a client that goes away within a frame', async () => {
    let noteCancelled!: () => void;
    const cancelled = new Promise<void>((resolve) => (noteCancelled = resolve));
    const { open } = await serve(() => (call) => {
      call.once('cancelled', noteCancelled);
      for (let number = 0; number < 8; number++) call.write(answerOf(number, STALLING_BYTES, true));
    });
    const stream = open();
    stream.on('error', () => undefined);
    await once(stream, 'readable');
    stream.cancel();
    await cancelled;
    // The server answers others still.
    const other = open();
    await once(other, 'readable');
    other.on('error', () => undefined).cancel();
  });

  it('answers INTERNAL to a response that cannot be written', async () => {
    const { open } = await serve(
      () => (call) => {
        call.write({ bytes: undefined! as Buffer, isFramed: true });
        call.end();
      },
      () => {
        throw new Error('no frame');
      },
    );
    expect((await failureOf(readStream(open()).next())).status).toBe('INTERNAL');
  });
});
