import { loadDataset, type Dataset } from '@lunastream/dataset';
import { errorText, RequestError, type Logger } from '@lunastream/service-kit';
import type { DatasetLocation } from './config.ts';

/** The data sets of this service by name. Each is read when first asked for; a failed read is tried again. */
export class DatasetCatalog {
  readonly #folders: ReadonlyMap<string, string>;
  readonly #logger: Logger;
  readonly #loads = new Map<string, Promise<Dataset>>();

  constructor(locations: readonly DatasetLocation[], logger: Logger) {
    this.#folders = new Map(locations.map(({ name, folder }) => [name, folder]));
    this.#logger = logger;
  }

  /**
   * The data set called `name`.
   * @throws RequestError not-found for an unknown name, failed-precondition for a folder that cannot be read.
   */
  async get(name: string): Promise<Dataset> {
    const folder = this.#folders.get(name);
    if (folder === undefined) {
      const known = [...this.#folders.keys()].join(', ');
      throw new RequestError('not-found', `Cannot find data set '${name}': this chunk cache serves ${known}`);
    }
    const running = this.#loads.get(name) ?? this.#load(name, folder);
    this.#loads.set(name, running);
    return running;
  }

  async #load(name: string, folder: string): Promise<Dataset> {
    try {
      const dataset = await loadDataset(folder);
      const { fingerprint, series, candidates } = dataset;
      this.#logger.info(
        { dataset: name, fingerprint, series: series.size, candidates: candidates.length },
        `data set ${name} read`,
      );
      return dataset;
    } catch (error) {
      this.#loads.delete(name);
      throw new RequestError('failed-precondition', errorText(error), { cause: error });
    }
  }
}
