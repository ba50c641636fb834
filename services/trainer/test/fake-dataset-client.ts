import { Readable } from 'node:stream';
import type { DatasetServiceClient, GetDatasetRequest, GetDatasetResponse } from '@lunastream/contracts';
import type { Candidate } from '@lunastream/dataset';
import type { TrainingDataset } from '../src/dataset-client.ts';

/** A chunk cache's data sets without a wire. Throws, as its status, what it is told to. */
export function fakeDatasetClient(
  dataset: TrainingDataset,
  { candidatesPerPage = 5, failure }: { candidatesPerPage?: number; failure?: Error } = {},
): DatasetServiceClient {
  const positives = dataset.candidates.filter(({ isNodule }) => isNodule).length;
  const summary: GetDatasetResponse = {
    dataset: dataset.name,
    fingerprint: dataset.fingerprint,
    seriesCount: dataset.seriesCount,
    positiveCount: positives,
    negativeCount: dataset.candidates.length - positives,
    missingScanCount: dataset.leftOut.missingScan,
    outsideScanCount: dataset.leftOut.outsideScan,
    badScanCount: dataset.leftOut.badScan,
    problems: [...dataset.problems],
  };
  const pages: { candidates: unknown[] }[] = [];
  for (let start = 0; start < dataset.candidates.length; start += candidatesPerPage) {
    const page = dataset.candidates.slice(start, start + candidatesPerPage);
    pages.push({ candidates: page.map(toWireCandidate) });
  }
  const client = {
    getDataset: (
      _request: GetDatasetRequest,
      _metadata: unknown,
      _options: unknown,
      callback: (error: Error | null, response?: GetDatasetResponse) => void,
    ) => {
      if (failure === undefined) callback(null, summary);
      else callback(failure);
    },
    listCandidates: () => Object.assign(Readable.from(pages), { cancel: () => undefined }),
  };
  return client as unknown as DatasetServiceClient;
}

function toWireCandidate({ centerXyzMm: [x, y, z], ...candidate }: Candidate) {
  return { ...candidate, centerXyzMm: { x, y, z } };
}
