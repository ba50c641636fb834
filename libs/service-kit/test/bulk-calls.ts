import { DatasetServiceService, ListCandidatesResponse } from '@lunastream/contracts';
import { expect, onTestFinished } from 'vitest';
import type { BulkClient } from '../src/bulk/bulk-client.ts';
import { createBulkClient, type ConnectOptions } from '../src/grpc-client.ts';
import { page, pageNumber, type DatasetAnswers } from './dataset-service.ts';

const METHOD = DatasetServiceService.listCandidates;

/** Calls ListCandidates, and collects what comes. */
export function listWith(
  client: BulkClient,
  dataset = 'luna',
  onPage: (number: number) => void = () => undefined,
) {
  const pages: ListCandidatesResponse[] = [];
  let isClosed = false;
  let parts: Buffer[] = [];
  let settle!: (error: Error | undefined) => void;
  const closed = new Promise<Error | undefined>((resolve) => (settle = resolve));
  const call = client.call(
    METHOD,
    { dataset },
    {
      begin: () => (parts = []),
      bytes: (bytes, start, end) => parts.push(Buffer.from(bytes.subarray(start, end))),
      end: () => {
        pages.push(ListCandidatesResponse.decode(Buffer.concat(parts)));
        onPage(pageNumber(pages.at(-1)!));
      },
      closed: (error) => {
        expect(isClosed).toBe(false);
        isClosed = true;
        settle(error);
      },
    },
  );
  const whole = closed.then((error) => {
    if (error !== undefined) throw error;
    return pages.map(pageNumber);
  });
  whole.catch(() => undefined);
  return { call, pages, whole };
}

/** A client that is closed when the test ends. */
export function bulkClient(address: string, options?: ConnectOptions): BulkClient {
  const client = createBulkClient(address, options);
  onTestFinished(() => client.close());
  return client;
}

/** Answers to ListCandidates alone. */
export const listed = (listCandidates: NonNullable<DatasetAnswers['listCandidates']>) => ({ listCandidates });

/** Pages 1 to `count`, of `sizeBytes` and a little more. */
export async function* pagesUpTo(count: number, sizeBytes = 0) {
  for (let number = 1; number <= count; number++) yield await Promise.resolve(page(number, sizeBytes));
}
