/**
 * The text of a MetaImage header as fields with their lines: `Name = Value`, one a line, until `ElementDataFile`, which
 * ends the header by definition (MetaIO's documentation, "MetaObject format"). MetaIO also takes `:` for `=`.
 */
import { BadImageError } from '../errors.ts';

interface Field {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

const LAST_FIELD = 'ElementDataFile';
const FIELD_PATTERN = /^(\w+)\s*[=:]([^]*)$/;
const NEWLINE = 0x0a;
// A decimal number as C's strtod reads it, less hexadecimal, "inf" and "nan", which no coordinate may be.
const NUMBER_PATTERN = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** Values that mean the same as one text: `0 0 0` and `0.0  0 0`, `True` and `true`. */
function canonical(value = ''): string {
  const words = value.toLowerCase().split(/\s+/);
  return words.map((word) => (NUMBER_PATTERN.test(word) ? Number(word) : word)).join(' ');
}

export class MetaImageFields {
  readonly path: string;
  /** Bytes of the header, its last line break included; the data of a LOCAL file start here. */
  readonly sizeBytes: number;
  /** The header as stored, one character a byte. */
  readonly text: string;
  readonly #fields: ReadonlyMap<string, Field>;
  /** All bytes given, of which the header is the start. */
  readonly #bytes: Buffer;

  private constructor(path: string, fields: ReadonlyMap<string, Field>, bytes: Buffer, sizeBytes: number) {
    this.path = path;
    this.#fields = fields;
    this.#bytes = bytes;
    this.text = bytes.toString('latin1', 0, sizeBytes);
    this.sizeBytes = sizeBytes;
  }

  /** Lines behind the header that are not empty: the names that follow `ElementDataFile = LIST`. */
  get linesAfter(): readonly string[] {
    const lines = this.#bytes.toString('utf8', this.sizeBytes).split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  }

  /**
   * @param bytes the start of the file at `path`, at least all of its header.
   * @throws BadImageError when a line is no field, a field comes twice, or no `ElementDataFile` is found.
   */
  static parse(bytes: Buffer, path: string): MetaImageFields {
    const fields = new Map<string, Field>();
    for (let start = 0, line = 1; start < bytes.length; line++) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline === -1 ? bytes.length : newline + 1;
      const text = bytes.toString('utf8', start, end).trim();
      start = end;
      if (text === '') continue;
      const match = FIELD_PATTERN.exec(text);
      if (match === null) {
        throw new BadImageError('a MetaImage header must hold "Field = value" lines up to ElementDataFile', {
          path,
          line,
        });
      }
      const field: Field = { name: match[1]!, value: match[2]!.trim(), line };
      const earlier = fields.get(field.name);
      if (earlier !== undefined) {
        throw new BadImageError(`field ${field.name} must come once, it is on line ${earlier.line} too`, {
          path,
          field: field.name,
          line,
        });
      }
      fields.set(field.name, field);
      if (field.name === LAST_FIELD) {
        return new MetaImageFields(path, fields, bytes, end);
      }
    }
    throw new BadImageError(`a MetaImage header must have the field ${LAST_FIELD}`, {
      path,
      field: LAST_FIELD,
    });
  }

  /** The error to throw when `name` breaks `rule` ("must ..., got ..." without the name). */
  fault(name: string, rule: string): BadImageError {
    const line = this.#fields.get(name)?.line;
    return new BadImageError(`field ${name} ${rule}`, {
      path: this.path,
      field: name,
      ...(line === undefined ? {} : { line }),
    });
  }

  get(name: string): string | undefined {
    return this.#fields.get(name)?.value;
  }

  /** The one of `synonyms` that the header has; when it has several they must agree. */
  chooseName(synonyms: readonly [string, ...string[]]): string {
    const present = synonyms.filter((name) => this.#fields.has(name));
    const [first = synonyms[0], ...others] = present;
    for (const other of others) {
      if (canonical(this.get(other)) !== canonical(this.get(first))) {
        throw this.fault(
          other,
          `must agree with its synonym ${first} (${this.get(first)}), got ${this.get(other)}`,
        );
      }
    }
    return first;
  }

  /** `count` finite numbers, or undefined where the header lacks the field. */
  numbers(name: string, count: number): number[] | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const words = value.split(/\s+/);
    if (words.length !== count || !words.every((word) => NUMBER_PATTERN.test(word))) {
      throw this.fault(name, `must be ${count === 1 ? 'a number' : `${count} numbers`}, got ${quote(value)}`);
    }
    const numbers = words.map(Number);
    if (!numbers.every(Number.isFinite)) throw this.fault(name, `must be finite, got ${quote(value)}`);
    return numbers;
  }

  integer(name: string): number | undefined {
    const [number] = this.numbers(name, 1) ?? [];
    if (number !== undefined && !Number.isSafeInteger(number)) {
      throw this.fault(name, `must be a whole number, got ${number}`);
    }
    return number;
  }

  /** True or False as MetaIO writes them, or the short forms its reader takes. */
  boolean(name: string): boolean | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (/^(true|t|1)$/i.test(value)) return true;
    if (/^(false|f|0)$/i.test(value)) return false;
    throw this.fault(name, `must be True or False, got ${quote(value)}`);
  }
}

/** A value as it stands in a message: quoted, and cut where it is long. */
export function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
