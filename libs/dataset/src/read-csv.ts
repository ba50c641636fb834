/**
 * Reads a table with named columns, row by row, so that memory holds what the caller keeps and one block of the file.
 * Columns may come in any order and among others. Line ends may be CRLF, empty lines are skipped.
 */
import { parse, type CsvError } from 'csv-parse';
import { LocalFiles, MissingImageError, readBlocks, type FileStore } from '@lunastream/volume';
import { pipeline } from 'node:stream/promises';
import { BadCsvError, MissingDatasetFileError, type DatasetError, type OnDatasetError } from './errors.ts';

// A line of LUNA16 has about 100 characters; a "line" of a file that is no table may be the whole file.
const LONGEST_ROW_CHARACTERS = 65_536;
const LONGEST_QUOTE_CHARACTERS = 80;
const DECIMAL_PATTERN = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function quote(value: string): string {
  const shown =
    value.length > LONGEST_QUOTE_CHARACTERS ? `${value.slice(0, LONGEST_QUOTE_CHARACTERS)}…` : value;
  return JSON.stringify(shown);
}

/** One row of a table, read by column name. Its getters throw BadCsvError naming file, line and field. */
export class CsvRow<Column extends string> {
  readonly path: string;
  readonly line: number;
  readonly #values: readonly string[];
  readonly #positions: ReadonlyMap<Column, number>;

  constructor(
    place: { readonly path: string; readonly line: number },
    values: readonly string[],
    positions: ReadonlyMap<Column, number>,
  ) {
    this.path = place.path;
    this.line = place.line;
    this.#values = values;
    this.#positions = positions;
  }

  fault(field: Column, rule: string): BadCsvError {
    return new BadCsvError(`${rule}, got ${quote(this.#value(field))}`, {
      path: this.path,
      line: this.line,
      field,
    });
  }

  text(field: Column): string {
    const value = this.#value(field);
    if (value === '') throw this.fault(field, 'must not be empty');
    return value;
  }

  /** A finite decimal number; NaN, infinity, hexadecimal and empty fields are faults. */
  number(field: Column): number {
    const value = this.#value(field);
    const number = DECIMAL_PATTERN.test(value) ? Number(value) : Number.NaN;
    if (!Number.isFinite(number)) throw this.fault(field, 'must be a finite number');
    return number;
  }

  #value(field: Column): string {
    return this.#values[this.#positions.get(field)!]!.trim();
  }
}

export interface ReadCsvOptions<Column extends string> {
  /** Columns that the table must have. */
  readonly columns: readonly Column[];
  /** Takes one row; a BadCsvError it throws is reported and the row skipped. */
  readonly onRow: (row: CsvRow<Column>) => void;
  readonly onError: OnDatasetError;
  /** Where the table lies; default the files of this machine. */
  readonly files?: FileStore;
}

/** Assembles rows: the first record names the columns, the others are checked against it. */
class TableReader<Column extends string> {
  readonly #path: string;
  readonly #options: ReadCsvOptions<Column>;
  #positions: ReadonlyMap<Column, number> | undefined;
  #columnCount = 0;

  constructor(path: string, options: ReadCsvOptions<Column>) {
    this.#path = path;
    this.#options = options;
  }

  get hasHeader(): boolean {
    return this.#columnCount > 0;
  }

  accept(values: readonly string[], line: number): void {
    try {
      if (!this.hasHeader) this.#acceptHeader(values, line);
      else if (this.#positions !== undefined) this.#acceptRow(values, line, this.#positions);
    } catch (error) {
      if (!(error instanceof BadCsvError)) throw error;
      this.#options.onError(error);
    }
  }

  #acceptHeader(values: readonly string[], line: number): void {
    this.#columnCount = values.length;
    const names = values.map((value) => value.trim());
    const positions = new Map(this.#options.columns.map((column) => [column, names.indexOf(column)]));
    for (const [column, position] of positions) {
      if (position === -1) {
        throw new BadCsvError(`must be a column, got ${quote(names.join(','))}`, {
          path: this.#path,
          line,
          field: column,
        });
      }
    }
    this.#positions = positions;
  }

  #acceptRow(values: readonly string[], line: number, positions: ReadonlyMap<Column, number>): void {
    const place = { path: this.#path, line };
    if (values.length !== this.#columnCount) {
      throw new BadCsvError(`a row must have ${this.#columnCount} fields, got ${values.length}`, place);
    }
    this.#options.onRow(new CsvRow(place, values, positions));
  }
}

/** A file that a data set must have, and that cannot be opened or read. */
export function toMissingFile(error: MissingImageError, path: string): MissingDatasetFileError {
  return new MissingDatasetFileError(path, error.isAbsent ? 'the file must exist' : error.rule, error);
}

/** Whether the file is not there at all; otherwise it is, or may be, and cannot be read. */
export function isAbsentFile({ cause }: MissingDatasetFileError): boolean {
  return cause instanceof MissingImageError && cause.isAbsent;
}

/** The bytes of the file at `path` in order. @throws MissingImageError when it cannot be opened or read. */
export async function* readFileBlocks(path: string, files: FileStore): AsyncGenerator<Uint8Array> {
  const source = await files.open(path);
  try {
    yield* readBlocks(source, 0, source.sizeBytes);
    await source.verify();
  } finally {
    await source.close();
  }
}

/** An error of the parser or the file system as one that says what to do; anything else is a bug and thrown on. */
function toReadError(error: unknown, path: string): DatasetError {
  if (error instanceof MissingImageError) return toMissingFile(error, path);
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined) throw error;
  if (code.startsWith('CSV_')) {
    const { lines } = error as CsvError & { readonly lines?: number };
    return new BadCsvError(
      `the table is malformed (${(error as Error).message})`,
      { path, line: lines ?? 1 },
      error,
    );
  }
  throw error;
}

/**
 * Reads the table at `path`. Faults go to `onError`; a malformed rest of the file and a missing file end the reading.
 * Rejects with what `onError` or `onRow` throws.
 */
export async function readCsv<Column extends string>(
  path: string,
  options: ReadCsvOptions<Column>,
): Promise<void> {
  const { files = new LocalFiles() } = options;
  const name = files.nameOf(path);
  const table = new TableReader(name, options);
  let thrown: Error | undefined;
  const parser = parse({
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: LONGEST_ROW_CHARACTERS,
    // Returning nothing keeps records out of the parser's queue: they are taken here.
    on_record: (values: string[], { lines }) => {
      try {
        table.accept(values, lines);
      } catch (error) {
        thrown = error instanceof Error ? error : new Error(String(error));
        parser.destroy(thrown);
      }
      return undefined;
    },
  });
  parser.resume();
  try {
    await pipeline(readFileBlocks(path, files), parser);
  } catch (error) {
    if (error === thrown) throw error;
    options.onError(toReadError(error, name));
    return;
  }
  if (!table.hasHeader) {
    options.onError(
      new BadCsvError('the table must have a header line, got an empty file', { path: name, line: 1 }),
    );
  }
}
