/**
 * The balance ratio as a function of the epoch (exercise 3 of chapter 12), from text that people type: either a list,
 * `1,1,4` (its last entry goes on), or an expression, `epoch < 5 ? 1 : 4`. The language is this file's own and total: numbers,
 * `epoch`, arithmetic, comparisons, `&&`, `||`, `!`, `? :`, and the functions below. Nothing is ever handed to the
 * JavaScript engine to evaluate, so a schedule from the wire can compute a number and do nothing else.
 *
 *   choice := or [ '?' choice ':' choice ]        comparisons give 1 or 0; 0 is false
 *   or     := and { '||' and }                    product := unary { ('*' | '/' | '%') unary }
 *   and    := compare { '&&' compare }            unary   := ('-' | '!') unary | primary
 *   compare := sum [ ('<'|'<='|'>'|'>='|'=='|'!=') sum ]
 *   sum    := product { ('+' | '-') product }     primary := number | 'epoch' | name '(' choice {',' choice} ')' | '(' choice ')'
 */
import { RatioScheduleError } from './errors.ts';

/** Epoch to number, from 1. */
type EpochFunction = (epoch: number) => number;

/** Negatives per positive in each epoch. */
export interface RatioSchedule {
  /** As it was given, without spaces around it. */
  readonly text: string;
  /**
   * The ratio of an epoch, from 1: a whole number in 0..1,000,000.
   * @throws RatioScheduleError when the expression gives anything else there.
   */
  ratioAt(epoch: number): number;
}

export const LARGEST_RATIO = 1_000_000;
/** Bounds the depth of the parser: nobody needs more. */
const LONGEST_TEXT = 500;
const TOKEN = /\s*(?:(\d+(?:\.\d+)?)|([a-z]+)|(<=|>=|==|!=|&&|\|\||[-+*/%<>!?:(),]))/y;

const FUNCTIONS: Readonly<
  Record<string, { readonly apply: (...values: number[]) => number; readonly most: number }>
> = {
  min: { apply: Math.min, most: Infinity },
  max: { apply: Math.max, most: Infinity },
  floor: { apply: Math.floor, most: 1 },
  ceil: { apply: Math.ceil, most: 1 },
  round: { apply: Math.round, most: 1 },
};

const BINARY: Readonly<Record<string, (a: number, b: number) => number>> = {
  '||': (a, b) => Number(a !== 0 || b !== 0),
  '&&': (a, b) => Number(a !== 0 && b !== 0),
  '<': (a, b) => Number(a < b),
  '<=': (a, b) => Number(a <= b),
  '>': (a, b) => Number(a > b),
  '>=': (a, b) => Number(a >= b),
  '==': (a, b) => Number(a === b),
  '!=': (a, b) => Number(a !== b),
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};
/** From loosest to tightest. Comparisons do not chain: `1 < epoch < 5` is a mistake that must not pass. */
const LEVELS: readonly { readonly operators: readonly string[]; readonly chains: boolean }[] = [
  { operators: ['||'], chains: true },
  { operators: ['&&'], chains: true },
  { operators: ['<', '<=', '>', '>=', '==', '!='], chains: false },
  { operators: ['+', '-'], chains: true },
  { operators: ['*', '/', '%'], chains: true },
];

interface Token {
  readonly text: string;
  readonly kind: 'number' | 'name' | 'sign';
  /** Where it begins in the text, from 1. */
  readonly column: number;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) {
      const rest = text.slice(start).trimStart();
      const column = text.length - rest.length + 1;
      throw new RatioScheduleError(
        text,
        `column ${column} must be a number, a name or an operator`,
        rest[0]!,
      );
    }
    const [, number, name, sign] = match;
    const token = (number ?? name ?? sign)!;
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'sign';
    tokens.push({ text: token, kind, column: TOKEN.lastIndex - token.length + 1 });
  }
  return tokens;
}

/** Reads tokens from left to right; each method takes one rule of the grammar above. */
class ScheduleParser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  whole(): EpochFunction {
    const value = this.#choice();
    if (this.#peek() !== undefined) throw this.#refusal('the end');
    return value;
  }

  #choice(): EpochFunction {
    const condition = this.#binary(0);
    if (!this.#takes('?')) return condition;
    const yes = this.#choice();
    this.#expect(':');
    const no = this.#choice();
    return (epoch) => (condition(epoch) !== 0 ? yes(epoch) : no(epoch));
  }

  #binary(level: number): EpochFunction {
    const rule = LEVELS[level];
    if (rule === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = rule.operators.find((candidate) => this.#takes(candidate));
      if (operator === undefined) return left;
      const apply = BINARY[operator]!;
      const first = left;
      const second = this.#binary(level + 1);
      left = (epoch) => apply(first(epoch), second(epoch));
      if (!rule.chains) return left;
    }
  }

  #unary(): EpochFunction {
    if (this.#takes('-')) {
      const operand = this.#unary();
      return (epoch) => -operand(epoch);
    }
    if (this.#takes('!')) {
      const operand = this.#unary();
      return (epoch) => Number(operand(epoch) === 0);
    }
    return this.#primary();
  }

  #primary(): EpochFunction {
    const token = this.#peek();
    if (token?.kind === 'number') {
      this.#next++;
      const value = Number(token.text);
      return () => value;
    }
    if (token?.kind === 'name') return this.#named(token);
    if (!this.#takes('('))
      throw this.#refusal(`a number, epoch, a function (${Object.keys(FUNCTIONS).join(', ')}) or '('`);
    const inner = this.#choice();
    this.#expect(')');
    return inner;
  }

  #named(token: Token): EpochFunction {
    if (token.text !== 'epoch' && !Object.hasOwn(FUNCTIONS, token.text)) {
      throw this.#refusal(`epoch or one of ${Object.keys(FUNCTIONS).join(', ')}`);
    }
    this.#next++;
    if (token.text === 'epoch') return (epoch) => epoch;
    const { apply, most } = FUNCTIONS[token.text]!;
    this.#expect('(');
    const values = [this.#choice()];
    while (values.length < most && this.#takes(',')) values.push(this.#choice());
    this.#expect(')');
    return (epoch) => apply(...values.map((value) => value(epoch)));
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  #takes(sign: string): boolean {
    const token = this.#peek();
    if (token?.kind !== 'sign' || token.text !== sign) return false;
    this.#next++;
    return true;
  }

  #expect(sign: string): void {
    if (!this.#takes(sign)) throw this.#refusal(`'${sign}'`);
  }

  #refusal(expected: string): RatioScheduleError {
    const token = this.#peek();
    const column = token?.column ?? this.#text.length + 1;
    return new RatioScheduleError(
      this.#text,
      `column ${column} must be ${expected}`,
      token?.text ?? 'its end',
    );
  }
}

/** Whether a comma stands outside brackets, where no expression has one. */
function isList(text: string): boolean {
  let depth = 0;
  for (const sign of text) {
    if (sign === '(') depth++;
    if (sign === ')') depth--;
    if (sign === ',' && depth <= 0) return true;
  }
  return false;
}

function listOf(text: string): EpochFunction {
  const entries = text.split(',').map((entry, index) => {
    const ratio = entry.trim();
    if (/^\d+$/.test(ratio) && Number(ratio) <= LARGEST_RATIO) return Number(ratio);
    const rule = `entry ${index + 1} of the list must be a whole number in 0..${LARGEST_RATIO}`;
    throw new RatioScheduleError(text, rule, ratio === '' ? 'nothing' : ratio);
  });
  return (epoch) => entries[Math.min(epoch, entries.length) - 1]!;
}

/**
 * Reads a schedule: a list as `1,1,4`, whose entry k is the ratio of epoch k and whose last goes on, or an expression as
 * `epoch < 5 ? 1 : 4`. A lone number is the same in every epoch.
 * @throws RatioScheduleError naming the list's entry or the column at fault.
 */
export function compileRatioSchedule(text: string): RatioSchedule {
  const trimmed = text.trim();
  if (trimmed.length > LONGEST_TEXT) {
    throw new RatioScheduleError(
      `${trimmed.slice(0, 40)}…`,
      `it may have ${LONGEST_TEXT} characters`,
      `${trimmed.length}`,
    );
  }
  const ratioOf = isList(trimmed) ? listOf(trimmed) : new ScheduleParser(trimmed).whole();
  return {
    text: trimmed,
    ratioAt(epoch) {
      const ratio = ratioOf(epoch);
      if (!Number.isInteger(ratio) || ratio < 0 || ratio > LARGEST_RATIO) {
        const rule = `it must give a whole number in 0..${LARGEST_RATIO} in epoch ${epoch}`;
        throw new RatioScheduleError(trimmed, rule, String(ratio));
      }
      return ratio + 0;
    },
  };
}
