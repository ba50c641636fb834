import { loadDataset, type Dataset } from '@lunastream/dataset';
import { LocalFiles, type FileStore } from '@lunastream/volume';
import { DatasetFaultError } from './errors.ts';

/** A data set and where it lies. */
export interface DatasetLocation {
  readonly name: string;
  /** A folder, an address of a web server (`http://…`), or a place in a bucket (`s3://…`). */
  readonly folder: string;
}

/** Called each time a data set has been read from its folder. */
export type OnDatasetRead = (name: string, dataset: Dataset) => void;

export interface DatasetCatalogOptions {
  readonly onRead?: OnDatasetRead | undefined;
  /** Where data sets lie; default the files of this machine. */
  readonly files?: FileStore;
}

/** Data sets by name. Each is read when first asked for; a failed read is tried again. */
export class DatasetCatalog {
  readonly #folders: ReadonlyMap<string, string>;
  readonly #onRead: OnDatasetRead;
  readonly #files: FileStore;
  readonly #nameOf = new WeakMap<Dataset, string>();
  readonly #loads = new Map<string, Promise<Dataset>>();

  constructor(
    locations: readonly DatasetLocation[],
    { onRead = () => undefined, files = new LocalFiles() }: DatasetCatalogOptions = {},
  ) {
    this.#folders = new Map(locations.map(({ name, folder }) => [name, folder]));
    this.#onRead = onRead;
    this.#files = files;
  }

  /**
   * The data set called `name`, as it was when it had `fingerprint`; without one, or with '', as it is.
   * @throws DatasetFaultError `unknown` for a name that is not in the catalog, `unreadable` for a folder that cannot be
   * read, `changed` when the data set has another fingerprint.
   */
  async get(name: string, fingerprint = ''): Promise<Dataset> {
    const folder = this.#folders.get(name);
    if (folder === undefined) {
      const known = [...this.#folders.keys()].join(', ');
      throw new DatasetFaultError('unknown', `Cannot find data set '${name}': there are ${known}`);
    }
    const running = this.#loads.get(name) ?? this.#load(name, folder);
    this.#loads.set(name, running);
    const dataset = await running;
    if (fingerprint !== '' && fingerprint !== dataset.fingerprint) {
      throw new DatasetFaultError(
        'changed',
        `Cannot use data set ${name}: it has fingerprint ${dataset.fingerprint}, got ${fingerprint}`,
      );
    }
    return dataset;
  }

  /**
   * Reads the data set of `dataset` again, as files of it changed; what was read meanwhile is good enough. `get` gives the
   * new one from now on.
   * @throws DatasetFaultError `unreadable`.
   */
  async renew(dataset: Dataset): Promise<Dataset> {
    const name = this.#nameOf.get(dataset);
    const folder = name === undefined ? undefined : this.#folders.get(name);
    if (name === undefined || folder === undefined) throw new Error('internal: a data set of no catalog');
    const latest = this.#loads.get(name);
    const isLatest = (await latest) === dataset;
    // Whoever asked at the same time waits for the same reading.
    const running = isLatest && this.#loads.get(name) === latest ? undefined : this.#loads.get(name);
    const renewing = running ?? this.#load(name, folder);
    this.#loads.set(name, renewing);
    return renewing;
  }

  async #load(name: string, folder: string): Promise<Dataset> {
    try {
      const dataset = await loadDataset(folder, { files: this.#files });
      this.#nameOf.set(dataset, name);
      this.#onRead(name, dataset);
      return dataset;
    } catch (error) {
      this.#loads.delete(name);
      const reason = error instanceof Error ? error.message : String(error);
      throw new DatasetFaultError('unreadable', reason, { cause: error });
    }
  }
}
