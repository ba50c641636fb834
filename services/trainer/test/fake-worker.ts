import { Readable } from 'node:stream';
import { status, type ServiceError } from '@grpc/grpc-js';
import { VoxelInspector } from '@lunastream/augmentation';
import {
  SampleErrorCode,
  type StreamSamplesRequest,
  type StreamSamplesResponse,
} from '@lunastream/contracts';
import { voxelCount } from '@lunastream/volume';
import type { SampleClient, SampleReceiver } from '../src/supply/sample-client.ts';

const inspector = new VoxelInspector();

/** One lease as a worker got it. */
export interface FakeLease {
  readonly worker: FakeWorker;
  readonly request: StreamSamplesRequest;
  readonly ordinals: readonly number[];
  /** Position among all leases that this worker got. */
  readonly index: number;
}

/** What a worker answers to a lease; throwing breaks the stream. */
export type AnswerLease = (lease: FakeLease) => AsyncIterable<StreamSamplesResponse>;

/** An augmentation worker without a wire: its streams are plain Readables that cancel as calls do. */
export class FakeWorker {
  readonly address: string;
  readonly leases: FakeLease[] = [];
  readonly client: SampleClient;
  isClosed = false;
  /** Streams under way now, and the most there ever were. */
  openCount = 0;
  mostOpen = 0;

  constructor(address: string, answer: AnswerLease = answerAll) {
    this.address = address;
    const streamSamples = (request: StreamSamplesRequest, receiver: SampleReceiver) => {
      const ordinals = request.samples.map(({ ordinal }) => ordinal);
      const lease = { worker: this, request, ordinals, index: this.leases.length };
      this.leases.push(lease);
      this.mostOpen = Math.max(this.mostOpen, ++this.openCount);
      const stream = readableOf(answer(lease));
      const ended = new Set([stream]);
      for (const event of ['end', 'close']) {
        stream.once(event, () => (this.openCount -= Number(ended.delete(stream))));
      }
      let isCancelled = false;
      stream.on('data', (response: StreamSamplesResponse) => isCancelled || deliver(response, receiver));
      stream.on('error', (error) => isCancelled || receiver.closed(error));
      stream.on('end', () => isCancelled || receiver.closed(undefined));
      const cancel = () => {
        isCancelled = true;
        stream.destroy(grpcError(status.CANCELLED, 'cancelled'));
      };
      // Voxels come at once here: none are still to come.
      return { cancel, dropVoxels: () => undefined };
    };
    this.client = { streamSamples, close: () => void (this.isClosed = true) };
  }
}

/** Voxels go to their place where there is one, as over the wire. */
function deliver(response: StreamSamplesResponse, receiver: SampleReceiver): void {
  const { ordinal, result } = response;
  if (result?.$case !== 'sample') return receiver.message(response);
  const { voxelsHu, ...rest } = result.value;
  const head = { ...rest, voxelsHu: Buffer.alloc(0) };
  const place = receiver.place({ ordinal, result: { $case: 'sample', value: head } }, voxelsHu.length);
  if (place === undefined) return receiver.message(response);
  receiver.voxels(voxelsHu, 0, voxelsHu.length);
  place.set(voxelsHu);
  receiver.placed();
}

/** As `Readable.from`, but destroying it does not wait for an answer that never comes. */
function readableOf(answers: AsyncIterable<StreamSamplesResponse>): Readable {
  const iterator = answers[Symbol.asyncIterator]();
  return new Readable({
    objectMode: true,
    highWaterMark: 1,
    read() {
      iterator.next().then(
        ({ done, value }) => this.push(done === true ? null : value),
        (error: Error) => this.destroy(error),
      );
    },
  });
}

/** A stream's error as grpc-js makes it. */
export function grpcError(code: status, details: string): ServiceError {
  return Object.assign(new Error(`${code} ${status[code]}: ${details}`), { code, details }) as ServiceError;
}

/** Sends every sample of the lease, at once. */
export async function* answerAll({ request }: FakeLease): AsyncGenerator<StreamSamplesResponse> {
  for (const { ordinal } of request.samples) yield await Promise.resolve(sampleAnswer(request, ordinal));
}

/** Sends nothing and stays open. */
export async function* answerNever(): AsyncGenerator<StreamSamplesResponse> {
  await new Promise(() => undefined);
  yield { ordinal: 0, result: undefined };
}

/** A sample whose voxels all hold its ordinal, in bytes that start at an odd place, as received Buffers may. */
export function sampleAnswer(request: StreamSamplesRequest, ordinal: number): StreamSamplesResponse {
  const values = new Float32Array(voxelCount(request.chunkShape!)).fill(ordinal);
  const pool = Buffer.alloc(values.byteLength + 1);
  pool.set(new Uint8Array(values.buffer), 1);
  const voxelsHu = pool.subarray(1);
  return {
    ordinal,
    result: {
      $case: 'sample',
      value: {
        shape: request.chunkShape,
        voxelsHu,
        voxelsChecksum: inspector.inspect(voxelsHu, 'float32').checksum,
        // Every second sample lies outside its chunk by half.
        borderFraction: ordinal % 2 === 0 ? 0 : 0.5,
        voxelType: request.voxelType,
      },
    },
  };
}

export function errorAnswer(ordinal: number, message: string): StreamSamplesResponse {
  return {
    ordinal,
    result: { $case: 'error', value: { code: SampleErrorCode.DATA_LOSS, message } },
  };
}
