import type { InspectedVoxels } from '@lunastream/augmentation';
import type { Sample } from '@lunastream/contracts';
import { voxelCount } from '@lunastream/volume';
import { faultOfHead, faultOfVoxels, takeSample, type ExpectedSample } from './received-sample.ts';

/** The places of consecutive ordinals, and who waits for them. */
interface Range {
  readonly first: number;
  readonly count: number;
  readonly target: Float32Array;
  /** By position: 1 once the sample is there. */
  readonly written: Uint8Array;
  missing: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Where the ordinals go that are wanted and not all there yet: ranges in order, each forgotten once it is full. */
export class PlaceList {
  readonly #expected: ExpectedSample;
  readonly #sampleLength: number;
  readonly #ranges: Range[] = [];
  #end: number | undefined;
  #writtenCount = 0;

  constructor(expected: ExpectedSample) {
    this.#expected = expected;
    this.#sampleLength = voxelCount(expected.shape);
  }

  /** Whether no place was ever added. */
  get isEmpty(): boolean {
    return this.#end === undefined;
  }

  /** The ordinal after the last one that has a place. */
  get end(): number {
    return this.#end ?? 0;
  }

  /** Samples written so far. */
  get writtenCount(): number {
    return this.#writtenCount;
  }

  /** Bytes of places that wait for their sample. */
  get awaitedBytes(): number {
    const sampleBytes = this.#sampleLength * Float32Array.BYTES_PER_ELEMENT;
    return this.#ranges.reduce((sum, { missing }) => sum + missing * sampleBytes, 0);
  }

  /** Adds places for the ordinals from `first` on; resolves once all are written. */
  add(first: number, target: Float32Array): Promise<void> {
    const count = target.length / this.#sampleLength;
    if (this.#end !== undefined && first !== this.#end) {
      throw new Error(`internal: places must follow each other, got ${first} after ${this.#end}`);
    }
    this.#end = first + count;
    if (count === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const written = new Uint8Array(count);
      this.#ranges.push({ first, count, target, written, missing: count, resolve, reject });
    });
  }

  /** Whether `ordinal` has a place and no sample. */
  awaits(ordinal: number): boolean {
    const range = this.#rangeOf(ordinal);
    return range !== undefined && range.written[ordinal - range.first] === 0;
  }

  /** Writes the sample of an awaited ordinal; returns what is wrong with it, and then the place still waits. */
  write(ordinal: number, sample: Sample): string | undefined {
    const range = this.#rangeOf(ordinal)!;
    const fault = takeSample(sample, this.#placeIn(range, ordinal), this.#expected);
    if (fault === undefined) this.#note(range, ordinal);
    return fault;
  }

  /**
   * The place of an awaited ordinal, for the `voxelBytes` of voxels that are arriving: they may be written there in any
   * number of pieces, until `accept`. Undefined when they cannot be taken as they come.
   */
  placeFor(ordinal: number, sample: Sample, voxelBytes: number): Uint8Array | undefined {
    if (this.#expected.voxelType !== 'float32') return undefined;
    if (faultOfHead(sample, voxelBytes, this.#expected) !== undefined) return undefined;
    return bytesOf(this.#placeIn(this.#rangeOf(ordinal)!, ordinal));
  }

  /**
   * Takes voxels of an awaited ordinal that are in their place, given what was seen of them; returns what is wrong with
   * them, and it still waits.
   */
  accept(ordinal: number, sample: Sample, seen: InspectedVoxels): string | undefined {
    const fault = faultOfVoxels(sample, seen);
    if (fault === undefined) this.#note(this.#rangeOf(ordinal)!, ordinal);
    return fault;
  }

  #placeIn(range: Range, ordinal: number): Float32Array {
    const start = (ordinal - range.first) * this.#sampleLength;
    return range.target.subarray(start, start + this.#sampleLength);
  }

  #note(range: Range, ordinal: number): void {
    range.written[ordinal - range.first] = 1;
    this.#writtenCount++;
    if (--range.missing === 0) {
      this.#ranges.splice(this.#ranges.indexOf(range), 1);
      range.resolve();
    }
  }

  /** Rejects whoever waits and forgets all places: nothing is written any more. */
  fail(error: Error): void {
    for (const { reject } of this.#ranges.splice(0)) reject(error);
  }

  /** The ranges are few: as many as there are batch buffers. */
  #rangeOf(ordinal: number): Range | undefined {
    return this.#ranges.find(({ first, count }) => ordinal >= first && ordinal < first + count);
  }
}

function bytesOf(voxels: Float32Array): Uint8Array {
  return new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength);
}
