import { status } from '@grpc/grpc-js';
import {
  BorderRule,
  ChunkServiceClient,
  type ChunkReference,
  type StreamChunksRequest,
  type StreamChunksResponse,
} from '@lunastream/contracts';
import { createClient, rankServers, RequestError, type ServerAddress } from '@lunastream/service-kit';
import { startInProcessServer } from '@lunastream/service-kit/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  fakeChunkCache,
  FINGERPRINT,
  streamFakeChunks,
  type StreamChunks,
} from '../test/fake-chunk-cache.ts';
import { CachePods } from './cache-pods.ts';

const SHAPE = { depth: 1, height: 2, width: 3 };
const never = new AbortController().signal;

interface Pod {
  readonly address: string;
  readonly requests: StreamChunksRequest[];
}

/** Real servers that note what they are asked, and pods of them. */
async function startPods(...answers: readonly (StreamChunks | undefined)[]) {
  const pods: Pod[] = [];
  for (const answer of answers) {
    const requests: StreamChunksRequest[] = [];
    const server = await startInProcessServer(
      fakeChunkCache((request, signal) => {
        requests.push(request);
        return (answer ?? streamFakeChunks)(request, signal);
      }),
    );
    onTestFinished(() => server.stop());
    pods.push({ address: server.address, requests });
  }
  let nowMs = 0;
  const failovers: string[] = [];
  const closed: string[] = [];
  const caches = new CachePods({
    connect: ({ address }) => {
      const client = createClient(ChunkServiceClient, address);
      const close = client.close.bind(client);
      client.close = () => {
        closed.push(address);
        close();
      };
      return client;
    },
    onFailover: (sentence) => failovers.push(sentence),
    nowMs: () => nowMs,
  });
  onTestFinished(() => caches.close());
  caches.setServers(pods.map(serverOf));
  return { pods, caches, failovers, closed, advance: (ms: number) => (nowMs += ms) };
}

const serverOf = ({ address }: Pod): ServerAddress => ({ address, serverName: undefined });
const references: ChunkReference[] = Array.from({ length: 60 }, (_, index) => ({
  seriesUid: `1.2.${index % 13}`,
  centerXyzMm: { x: index, y: 0, z: 0 },
}));
const requestOf = (wanted = references): StreamChunksRequest => ({
  dataset: 'luna',
  datasetFingerprint: FINGERPRINT,
  shape: SHAPE,
  grownShape: undefined,
  border: BorderRule.UNSPECIFIED,
  references: wanted,
});

async function collect(caches: CachePods, request = requestOf()) {
  const answers = [];
  for await (const answer of caches.streamChunks(request, never)) answers.push(answer);
  return answers;
}

/** What one cache answers to the whole request. */
async function expected(request = requestOf()) {
  const answers = [];
  for await (const answer of streamFakeChunks(request)) answers.push(answer);
  return answers;
}

const refuse = (kind: RequestError['kind']): StreamChunks =>
  async function* () {
    await Promise.resolve();
    throw new RequestError(kind, 'no');
    yield* [];
  };

describe('CachePods.streamChunks()', () => {
  it('gives the answers of one cache, in order, from however many pods', async () => {
    for (const count of [1, 2, 5]) {
      const { caches } = await startPods(...Array.from({ length: count }, () => undefined));
      expect(await collect(caches)).toEqual(await expected());
    }
  });

  it('asks for each scan at the pod that ranks first by its series_uid, and nowhere else', async () => {
    const { pods, caches } = await startPods(undefined, undefined, undefined);
    await collect(caches);
    const addresses = pods.map(({ address }) => address);
    for (const { address, requests } of pods) {
      for (const { seriesUid } of requests.flatMap(({ references: asked }) => asked)) {
        expect(rankServers(seriesUid, addresses)[0]).toBe(address);
      }
    }
    const asked = pods.flatMap(({ requests }) => requests.flatMap(({ references: some }) => some));
    expect(asked.length).toBe(references.length);
  });

  it('asks the others for what a pod that fails still owes, and says so', async () => {
    const isFailing = (index: number) => pods[index] === failed;
    let noteReceived!: () => void;
    const received = new Promise<void>((resolve) => (noteReceived = resolve));
    const failing: StreamChunks = async function* (request) {
      let sent = 0;
      for await (const answer of streamFakeChunks(request)) {
        if (sent++ === 2) {
          // An error overtakes answers that nobody has read yet.
          await received;
          throw new RequestError('unavailable', 'going down');
        }
        yield answer;
      }
    };
    const { pods, caches, failovers } = await startPods(
      ...[0, 1, 2].map((index): StreamChunks => (request, signal) => {
        return (isFailing(index) ? failing : streamFakeChunks)(request, signal);
      }),
    );
    const addresses = pods.map(({ address }) => address);
    const firstOf = (index: number) => rankServers(references[index]!.seriesUid, addresses)[0]!;
    // Of three random addresses one might have no scan at all.
    const failed = pods.find(({ address }) => address === firstOf(0))!;
    const answers: StreamChunksResponse[] = [];
    let ofFailed = 0;
    for await (const answer of caches.streamChunks(requestOf(), never)) {
      answers.push(answer);
      if (firstOf(answer.referenceIndex) === failed.address && ++ofFailed === 2) noteReceived();
    }
    expect(answers).toEqual(await expected());
    expect(failovers).toEqual([`chunk cache ${failed.address} failed, others are asked: going down`]);
    const others = pods.filter((pod) => pod !== failed);
    const asked = failed.requests[0]!.references.length;
    const askedOfOthers = others.flatMap(({ requests }) => requests.flatMap(({ references: some }) => some));
    expect(askedOfOthers.length).toBe(references.length - asked + (asked - 2));
  });

  it('prefers others while a pod that failed rests, then asks it again', async () => {
    let isDown = true;
    const flaky: StreamChunks = (request, signal) =>
      (isDown ? refuse('unavailable') : streamFakeChunks)(request, signal);
    const { pods, caches, advance } = await startPods(flaky, undefined);
    await collect(caches);
    isDown = false;
    const asksBefore = pods[0]!.requests.length;
    await collect(caches);
    expect(pods[0]!.requests.length).toBe(asksBefore);
    advance(1_000);
    await collect(caches);
    expect(pods[0]!.requests.length).toBe(asksBefore + 1);
  });

  it('fails with the last error once every pod has failed', async () => {
    const { caches } = await startPods(refuse('unavailable'), refuse('unavailable'));
    await expect(collect(caches)).rejects.toMatchObject({ code: status.UNAVAILABLE, details: 'no' });
  });

  it('asks nobody else when a pod refuses the request', async () => {
    const { pods, caches, failovers } = await startPods(refuse('not-found'), refuse('not-found'));
    await expect(collect(caches, requestOf(references.slice(0, 1)))).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    expect(pods.flatMap(({ requests }) => requests).length).toBe(1);
    expect(failovers).toEqual([]);
  });

  it('fails while no pod is known', async () => {
    const { caches } = await startPods();
    await expect(collect(caches)).rejects.toThrow('no chunk cache is known');
  });

  it('ends with the reason of its signal', async () => {
    const { caches } = await startPods(undefined, undefined);
    const stop = new AbortController();
    const answers = caches.streamChunks(requestOf(), stop.signal);
    await answers.next();
    stop.abort(new Error('enough'));
    await expect(
      (async () => {
        for await (const answer of answers) void answer;
      })(),
    ).rejects.toThrow('enough');
  });
});

describe('CachePods.setServers()', () => {
  it('takes in who comes, lets go who left, and keeps the connections of the others', async () => {
    const { pods, caches, closed } = await startPods(undefined, undefined, undefined);
    const [first, second, third] = pods.map(serverOf);
    caches.setServers([first!, second!]);
    expect(closed).toEqual([third!.address]);
    expect(await collect(caches)).toEqual(await expected());
    expect(pods[2]!.requests).toEqual([]);
    caches.setServers([third!]);
    expect(await collect(caches)).toEqual(await expected());
    expect(pods[2]!.requests.length).toBe(1);
  });
});
