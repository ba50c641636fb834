import type { SeriesEntry } from '@lunastream/dataset';
import { inspectVolume, VolumeError, type FileStore } from '@lunastream/volume';

export interface SeriesWatchOptions {
  readonly files: FileStore;
  /** How long what was seen of a scan's files is believed, ms; 0 looks each time. */
  readonly intervalMs: number;
  readonly nowMs: () => number;
}

interface Sight {
  readonly seenMs: number;
  readonly isCurrent: Promise<boolean>;
}

/**
 * Notices scans whose files changed since their data set was read, so that no chunk is served that was cut from what they
 * were. Looking costs a few system calls or requests, so each scan is looked at once in a while.
 */
export class SeriesWatch {
  readonly #options: SeriesWatchOptions;
  readonly #sights = new WeakMap<SeriesEntry, Sight>();

  constructor(options: SeriesWatchOptions) {
    this.#options = options;
  }

  /** Whether the files of `series` are those that it was read from, as far as was seen of late. */
  isCurrent(series: SeriesEntry): Promise<boolean> {
    const nowMs = this.#options.nowMs();
    const last = this.#sights.get(series);
    if (last !== undefined && nowMs - last.seenMs < this.#options.intervalMs) return last.isCurrent;
    return this.look(series);
  }

  /** As `isCurrent`, looking now. */
  look(series: SeriesEntry): Promise<boolean> {
    const isCurrent = this.#inspect(series);
    this.#sights.set(series, { seenMs: this.#options.nowMs(), isCurrent });
    return isCurrent;
  }

  async #inspect({ path, revision }: SeriesEntry): Promise<boolean> {
    try {
      return (await inspectVolume(path, { files: this.#options.files })).revision === revision;
    } catch (error) {
      if (!(error instanceof VolumeError)) throw error;
      // Damaged or out of reach: chunks that were cut before are good, and cutting another will say what is wrong.
      return true;
    }
  }
}
