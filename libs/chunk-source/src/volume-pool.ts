import type { SeriesEntry } from '@lunastream/dataset';
import type { VolumeReader } from '@lunastream/volume';

/** File handles are few and an open scan costs one. */
const MAX_OPEN_VOLUMES = 64;

/** Opens a scan for reading parts of it. */
export type OpenSeries = (series: SeriesEntry) => Promise<VolumeReader>;

export interface VolumePoolOptions {
  /** Most bytes that open scans hold in memory, those in use aside. */
  readonly limitBytes: number;
  readonly open: OpenSeries;
}

interface PooledVolume {
  readonly opened: Promise<VolumeReader>;
  users: number;
  residentBytes: number;
}

/**
 * Open scans, shared by all requests: the least recently used are closed to stay below a number of files and of bytes
 * held (a compressed scan that has no local copy is held decompressed). A scan in use is never closed.
 */
export class VolumePool {
  readonly #limitBytes: number;
  readonly #open: OpenSeries;
  /** In order of use, least recently used first. */
  readonly #volumes = new Map<string, PooledVolume>();

  constructor({ limitBytes, open }: VolumePoolOptions) {
    this.#limitBytes = limitBytes;
    this.#open = open;
  }

  /** Runs `work` with the open scan of `series`. */
  async use<Result>(series: SeriesEntry, work: (reader: VolumeReader) => Promise<Result>): Promise<Result> {
    // A scan whose files changed is another one: it is opened afresh, and who reads the old one is not disturbed.
    const key = `${series.revision} ${series.path}`;
    const volume = this.#volumes.get(key) ?? { opened: this.#open(series), users: 0, residentBytes: 0 };
    this.#volumes.delete(key);
    this.#volumes.set(key, volume);
    volume.users++;
    try {
      const reader = await volume.opened;
      volume.residentBytes = reader.residentBytes;
      return await work(reader);
    } catch (error) {
      // A scan that failed is opened afresh next time: its file may have been repaired or replaced.
      if (this.#volumes.get(key) === volume) this.#volumes.delete(key);
      throw error;
    } finally {
      volume.users--;
      if (volume.users === 0 && this.#volumes.get(key) !== volume) await close(volume);
      await Promise.all(this.#takeSurplus().map(close));
    }
  }

  /** Closes every scan. */
  async close(): Promise<void> {
    const volumes = [...this.#volumes.values()];
    this.#volumes.clear();
    await Promise.all(volumes.map(close));
  }

  /** Takes out the scans to close. Does not wait: what is held would change meanwhile. */
  #takeSurplus(): PooledVolume[] {
    let heldBytes = [...this.#volumes.values()].reduce((sum, volume) => sum + volume.residentBytes, 0);
    const surplus: PooledVolume[] = [];
    for (const [key, volume] of this.#volumes) {
      if (this.#volumes.size <= MAX_OPEN_VOLUMES && heldBytes <= this.#limitBytes) break;
      if (volume.users > 0) continue;
      this.#volumes.delete(key);
      heldBytes -= volume.residentBytes;
      surplus.push(volume);
    }
    return surplus;
  }
}

async function close(volume: PooledVolume): Promise<void> {
  const reader = await volume.opened.catch(() => undefined);
  await reader?.close();
}
