import {
  AugmentationServiceService,
  createSampleReader,
  type SampleSink,
  type StreamSamplesRequest,
} from '@lunastream/contracts';
import type { BulkClient } from '@lunastream/service-kit';

/** Takes what a worker answers to one lease. */
export interface SampleReceiver extends SampleSink {
  /** Told once, last; not told after `cancel`. `error` is undefined when the worker sent its last message. */
  closed(error: unknown): void;
}

/** A lease's stream. */
export interface SampleCall {
  /** Ends it; its receiver hears nothing more. Repeatable. */
  cancel(): void;
  /** Drops what is still to come of the voxels that are being placed: nothing is written there any more. */
  dropVoxels(): void;
}

/** What the trainer calls of an augmentation worker. */
export interface SampleClient {
  /** Asks for samples; `receiver` hears of them later, never before this returns. */
  streamSamples(request: StreamSamplesRequest, receiver: SampleReceiver): SampleCall;
  close(): void;
}

/** Asks a worker over the wire, and puts voxels where they belong as they arrive. */
export function sampleClient(client: BulkClient): SampleClient {
  return {
    streamSamples: (request, receiver) => {
      const reader = createSampleReader(receiver);
      const call = client.call(AugmentationServiceService.streamSamples, request, {
        begin: (sizeBytes) => reader.begin(sizeBytes),
        bytes: (bytes, start, end) => reader.bytes(bytes, start, end),
        end: () => reader.end(),
        closed: (error) => receiver.closed(error),
      });
      return { cancel: () => call.cancel(), dropVoxels: () => reader.drop() };
    },
    close: () => client.close(),
  };
}
