/** A chunk cache as a process of its own, asked over gRPC as workers ask it. */
import { Metadata } from '@grpc/grpc-js';
import {
  BorderRule,
  ChunkServiceClient,
  DatasetServiceClient,
  type Candidate,
  type GetChunkStatsResponse,
  type StreamChunksResponse,
} from '@lunastream/contracts';
import { callUnary, createClient, readStream } from '@lunastream/service-kit';
import { TestService } from './test-service.ts';

export interface ChunkShape {
  readonly depth: number;
  readonly height: number;
  readonly width: number;
}

const STATS_TIMEOUT_MS = 60_000;

/** Chunks of `shape` around candidates; answers as they come, until `onAnswer` returns false. */
export async function streamChunksOf(
  address: string,
  candidates: readonly Candidate[],
  shape: ChunkShape,
  onAnswer: () => boolean = () => true,
): Promise<StreamChunksResponse[]> {
  const client = createClient(ChunkServiceClient, address);
  const request = {
    dataset: 'default',
    datasetFingerprint: '',
    shape,
    grownShape: undefined,
    border: BorderRule.UNSPECIFIED,
    references: [...candidates],
  };
  const answers: StreamChunksResponse[] = [];
  try {
    for await (const answer of readStream(client.streamChunks(request))) {
      answers.push(answer);
      if (!onAnswer()) break;
    }
  } finally {
    client.close();
  }
  return answers;
}

export async function listCandidates(address: string): Promise<Candidate[]> {
  const client = createClient(DatasetServiceClient, address);
  const all: Candidate[] = [];
  try {
    for await (const page of readStream(client.listCandidates({ dataset: 'default' }))) {
      all.push(...page.candidates);
    }
  } finally {
    client.close();
  }
  return all;
}

export async function chunkStats(address: string): Promise<GetChunkStatsResponse> {
  const client = createClient(ChunkServiceClient, address);
  try {
    const options = { metadata: new Metadata(), timeoutMs: STATS_TIMEOUT_MS };
    return await callUnary(client.getChunkStats.bind(client), {}, options);
  } finally {
    client.close();
  }
}

/** Starts a cache of the data set in `data` that keeps chunks in `<folder>/state`, as `lunastream up` has it. */
export function startChunkCache(
  folder: string,
  data: string,
  variables: Readonly<Record<string, string>> = {},
  within: readonly string[] = [],
): Promise<TestService> {
  const environment = {
    CHUNK_CACHE_DATASETS: `default=${data}`,
    CHUNK_CACHE_STORE_FOLDER: `${folder}/state/chunks`,
    CHUNK_CACHE_COPY_FOLDER: `${folder}/state/volumes`,
    ...variables,
  };
  return TestService.start('chunk-cache', folder, environment, within);
}
