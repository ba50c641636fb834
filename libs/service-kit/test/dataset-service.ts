import {
  DatasetServiceService,
  type GetDatasetRequest,
  type GetDatasetResponse,
  type ListCandidatesRequest,
  type ListCandidatesResponse,
} from '@lunastream/contracts';
import { streamHandler, unaryHandler, type HandlerContext } from '../src/handlers.ts';
import type { ServedService } from '../src/grpc-server.ts';

/** What a test answers with; a method left out fails the call. */
export interface DatasetAnswers {
  readonly getDataset?: (request: GetDatasetRequest) => Promise<GetDatasetResponse>;
  readonly listCandidates?: (
    request: ListCandidatesRequest,
    signal: AbortSignal,
  ) => AsyncIterable<ListCandidatesResponse>;
  /** Told of each page that was sent. */
  readonly onPageSent?: (page: ListCandidatesResponse) => void;
}

const notAsked = () => {
  throw new Error('the test has no answer for this method');
};

/** The smallest of our services, one unary method and one stream, answered by a test. */
export function datasetService(answers: DatasetAnswers) {
  return (context: HandlerContext): ServedService[] => [
    {
      definition: DatasetServiceService,
      implementation: {
        getDataset: unaryHandler(context, answers.getDataset ?? notAsked),
        listCandidates: streamHandler(context, answers.listCandidates ?? notAsked, answers.onPageSent),
      },
    },
  ];
}

/** An answer to GetDataset. */
export function summary(dataset: string): GetDatasetResponse {
  return {
    dataset,
    fingerprint: '',
    seriesCount: 0,
    positiveCount: 0,
    negativeCount: 0,
    missingScanCount: 0,
    outsideScanCount: 0,
    badScanCount: 0,
    problems: [],
  };
}

/** A page of ListCandidates that carries its number, and as many bytes as wanted. */
export function page(number: number, sizeBytes = 0): ListCandidatesResponse {
  const candidate = { patientId: 'x'.repeat(sizeBytes), isNodule: false, diameterMm: 0 };
  return { candidates: [{ ...candidate, seriesUid: String(number), centerXyzMm: undefined }] };
}

/** The number that a page carries. */
export function pageNumber({ candidates }: ListCandidatesResponse): number {
  return Number(candidates[0]?.seriesUid);
}
