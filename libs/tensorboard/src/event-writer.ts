import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { SummaryValue } from './summary-values.ts';
import { encodeRecord } from './tf-record.ts';

/** What TensorBoard knows the format by. */
const FILE_VERSION = 'brain.Event:2';
/** SessionLog.SessionStatus: drops what another file has of this step and later ones. */
const SESSION_START = 1;

export interface EventWriterOptions {
  /** Part of the file's name, by which TensorBoard tells writers apart. */
  readonly hostname: string;
  /** Time of day in milliseconds; part of every event. */
  readonly nowMs: () => number;
  /** Of a run that goes on: earlier records from this step on are to be forgotten. */
  readonly purgeStep?: number;
}

interface EventContent {
  readonly wallTimeSeconds: number;
  readonly step: number;
  readonly write: (writer: BinaryWriter) => void;
}

/** tensorflow/core/util/event.proto: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7. */
function encodeEvent({ wallTimeSeconds, step, write }: EventContent): Uint8Array {
  const writer = new BinaryWriter().uint32((1 << 3) | WireType.Bit64).double(wallTimeSeconds);
  if (step !== 0) writer.uint32((2 << 3) | WireType.Varint).int64(step);
  write(writer);
  return encodeRecord(writer.finish());
}

/**
 * An event file of its own in a folder. Events are kept until `flush`, which appends them: a process that is killed leaves
 * whole records, or one that is cut short at the end, which TensorBoard passes over.
 */
export class EventWriter {
  readonly path: string;
  readonly #nowMs: () => number;
  #pending: Uint8Array[] = [];

  private constructor(path: string, nowMs: () => number) {
    this.path = path;
    this.#nowMs = nowMs;
  }

  /** Makes folder and file. TensorBoard takes the files of a folder together, in the order of their names. */
  static async create(
    folder: string,
    { hostname, nowMs, purgeStep }: EventWriterOptions,
  ): Promise<EventWriter> {
    await mkdir(folder, { recursive: true });
    const startMs = nowMs();
    const seconds = String(Math.floor(startMs / 1000)).padStart(10, '0');
    const fraction = String(Math.floor(startMs % 1000)).padStart(3, '0');
    const name = `events.out.tfevents.${seconds}.${hostname}.${fraction}`;
    const writer = new EventWriter(join(folder, name), nowMs);
    writer.#add(0, (event) => event.uint32((3 << 3) | WireType.LengthDelimited).string(FILE_VERSION));
    if (purgeStep !== undefined) {
      const status = new BinaryWriter().uint32((1 << 3) | WireType.Varint).int32(SESSION_START);
      writer.#add(purgeStep, (event) =>
        event.uint32((7 << 3) | WireType.LengthDelimited).bytes(status.finish()),
      );
    }
    await writer.flush();
    return writer;
  }

  /** Adds values at a step; those that are undefined are left out. */
  add(step: number, values: readonly (SummaryValue | undefined)[]): void {
    const summary = new BinaryWriter();
    let count = 0;
    for (const value of values) {
      if (value === undefined) continue;
      // Summary.value = 1
      summary.uint32((1 << 3) | WireType.LengthDelimited).bytes(value);
      count++;
    }
    if (count === 0) return;
    this.#add(step, (event) => event.uint32((5 << 3) | WireType.LengthDelimited).bytes(summary.finish()));
  }

  /** Appends what was added to the file. What an error keeps from it comes with the next. */
  async flush(): Promise<void> {
    const events = this.#pending;
    await appendFile(this.path, Buffer.concat(events));
    this.#pending = this.#pending.slice(events.length);
  }

  #add(step: number, write: EventContent['write']): void {
    this.#pending.push(encodeEvent({ wallTimeSeconds: this.#nowMs() / 1000, step, write }));
  }
}
