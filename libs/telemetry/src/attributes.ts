/**
 * What instruments are told apart by. An attribute multiplies the series that a database keeps, so each has a bound:
 * what can grow without end (a scan, a sample, an epoch) is never one, but a value, or an attribute of spans and logs.
 */

/** One attribute of instruments. */
export interface AttributeDefinition {
  /** Everything it can be; absent where values come from outside. */
  readonly values?: readonly string[];
  /** Most values at a time within one process. */
  readonly limit: number;
  readonly meaning: string;
}

export const ATTRIBUTES = {
  run: { limit: 20, meaning: 'Id of a run, as in `runs`; the latest of a trainer, older ones vanish' },
  split: { values: ['trn', 'val'], limit: 2, meaning: 'Training or validation' },
  outcome: {
    values: ['tp', 'fp', 'tn', 'fn'],
    limit: 4,
    meaning: 'True or false positive or negative, at the threshold of the run',
  },
  class: { values: ['all', 'neg', 'pos'], limit: 3, meaning: 'All candidates, or those of one label' },
  beta: { values: ['0.5', '1', '2'], limit: 3, meaning: 'Weight of recall in the F-score' },
  device: { limit: 20, meaning: 'What the engine of a run computes on, as in its `run.json`' },
  worker: { limit: 256, meaning: 'Address of an augmentation worker, or `local`' },
  tier: { limit: 8, meaning: 'Tier of the chunk store, nearest to the samples: `worker`' },
  'cpu.mode': { values: ['user', 'system'], limit: 2, meaning: 'In programs, or in the kernel' },
  'rpc.system.name': { values: ['grpc'], limit: 1, meaning: 'As in the semantic conventions' },
  'rpc.method': { limit: 32, meaning: 'Service and method, `lunastream.chunk.v1.ChunkService/StreamChunks`' },
  'rpc.response.status_code': { limit: 17, meaning: 'Name of the gRPC status, `OK` or `UNAVAILABLE`' },
  'error.type': { limit: 17, meaning: 'The status again, where it is the fault of the service' },
} as const satisfies Record<string, AttributeDefinition>;

export type AttributeName = keyof typeof ATTRIBUTES;

/** What the attribute `Name` can be set to. */
export type AttributeValue<Name extends AttributeName> = (typeof ATTRIBUTES)[Name] extends {
  readonly values: readonly (infer Value)[];
}
  ? Value
  : string;
