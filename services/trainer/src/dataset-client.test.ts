import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { fakeDatasetClient } from '../test/fake-dataset-client.ts';
import { grpcError } from '../test/fake-worker.ts';
import { DATASET } from '../test/training-fixtures.ts';
import { readTrainingDataset } from './dataset-client.ts';

const never = new AbortController().signal;

describe('readTrainingDataset()', () => {
  it('gives every candidate of every page, in order, and what was left out', async () => {
    const dataset = {
      ...DATASET,
      leftOut: { missingScan: 1, outsideScan: 2, badScan: 3 },
      problems: ['/d/candidates.csv:2: the centre lies outside scan 1.2.3'],
    };
    const client = fakeDatasetClient(dataset, { candidatesPerPage: 5 });
    expect(await readTrainingDataset(client, 'default', never)).toEqual(dataset);
  });

  it('rejects with the status of the chunk cache', async () => {
    const failure = grpcError(status.FAILED_PRECONDITION, 'Cannot read /d/candidates.csv:7: field coordX');
    const client = fakeDatasetClient(DATASET, { failure });
    await expect(readTrainingDataset(client, 'default', never)).rejects.toBe(failure);
  });

  it('rejects when its signal aborts', async () => {
    const reading = readTrainingDataset(
      fakeDatasetClient(DATASET),
      'default',
      AbortSignal.abort(new Error('stopped')),
    );
    await expect(reading).rejects.toThrow('stopped');
  });
});
