import { loadDataset, type Dataset } from '@lunastream/dataset';
import { DatasetFaultError } from './errors.ts';

/** A data set and where it lies. */
export interface DatasetLocation {
  readonly name: string;
  readonly folder: string;
}

/** Called each time a data set has been read from its folder. */
export type OnDatasetRead = (name: string, dataset: Dataset) => void;

/** Data sets by name. Each is read when first asked for; a failed read is tried again. */
export class DatasetCatalog {
  readonly #folders: ReadonlyMap<string, string>;
  readonly #onRead: OnDatasetRead;
  readonly #loads = new Map<string, Promise<Dataset>>();

  constructor(locations: readonly DatasetLocation[], onRead: OnDatasetRead = () => undefined) {
    this.#folders = new Map(locations.map(({ name, folder }) => [name, folder]));
    this.#onRead = onRead;
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

  async #load(name: string, folder: string): Promise<Dataset> {
    try {
      const dataset = await loadDataset(folder);
      this.#onRead(name, dataset);
      return dataset;
    } catch (error) {
      this.#loads.delete(name);
      const reason = error instanceof Error ? error.message : String(error);
      throw new DatasetFaultError('unreadable', reason, { cause: error });
    }
  }
}
