import { Metadata } from '@grpc/grpc-js';
import type { Candidate } from '@lunastream/dataset';
import type { DatasetServiceClient, GetDatasetResponse } from '@lunastream/contracts';
import { callUnary, readStream } from '@lunastream/service-kit';
import { xyzMm } from '@lunastream/volume';

/** Reading the headers of 888 scans from a cold disk takes a while. */
const GET_DATASET_TIMEOUT_MS = 300_000;

/** A data set as the trainer sees it: its candidates, never its scans. */
export interface TrainingDataset {
  readonly name: string;
  readonly fingerprint: string;
  /** Ordered by (label, diameter, series uid, centre), each descending. */
  readonly candidates: readonly Candidate[];
  readonly seriesCount: number;
  /** Candidates left out: their scan is absent, does not hold their centre, or is damaged. */
  readonly leftOut: { readonly missingScan: number; readonly outsideScan: number; readonly badScan: number };
  /** Why, a sentence each; the first few. */
  readonly problems: readonly string[];
}

/** Reads a data set from the chunk cache. Rejects with its ServiceError. */
export async function readTrainingDataset(
  client: DatasetServiceClient,
  name: string,
  signal: AbortSignal,
): Promise<TrainingDataset> {
  const options = { metadata: new Metadata(), timeoutMs: GET_DATASET_TIMEOUT_MS };
  const summary = await callUnary(client.getDataset.bind(client), { dataset: name }, options);
  const candidates: Candidate[] = [];
  for await (const page of readStream(client.listCandidates({ dataset: name }), signal)) {
    for (const { centerXyzMm, isMalignant, ...candidate } of page.candidates) {
      const { x, y, z } = centerXyzMm ?? { x: NaN, y: NaN, z: NaN };
      const malignancy = isMalignant === undefined ? {} : { isMalignant };
      candidates.push({ ...candidate, centerXyzMm: xyzMm(x, y, z), ...malignancy });
    }
  }
  return toTrainingDataset(summary, candidates);
}

function toTrainingDataset(summary: GetDatasetResponse, candidates: readonly Candidate[]): TrainingDataset {
  return {
    name: summary.dataset,
    fingerprint: summary.fingerprint,
    candidates,
    seriesCount: summary.seriesCount,
    leftOut: {
      missingScan: summary.missingScanCount,
      outsideScan: summary.outsideScanCount,
      badScan: summary.badScanCount,
    },
    problems: summary.problems,
  };
}
