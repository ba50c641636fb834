import { Writable } from 'node:stream';
import type { Terminal } from '../src/terminal.ts';

/** A terminal device that keeps what is written to it, with every control sequence. */
class FakeTty extends Writable {
  readonly isTTY = true;
  readonly columns: number;
  readonly rows = 24;
  text = '';

  constructor(columns: number) {
    super({ decodeStrings: false });
    this.columns = columns;
  }

  override _write(chunk: string, _encoding: BufferEncoding, callback: () => void): void {
    this.text += chunk;
    callback();
  }
}

/** A terminal that keeps what commands write: results, messages and bars apart. */
export class FakeTerminal implements Terminal {
  readonly isInteractive: boolean;
  readonly columns: number;
  readonly bars: FakeTty;
  stdout = '';
  stderr = '';

  constructor({ isInteractive = false, columns = 100 } = {}) {
    this.isInteractive = isInteractive;
    this.columns = columns;
    this.bars = new FakeTty(columns);
  }

  readonly out = (text: string): void => void (this.stdout += text);
  readonly err = (text: string): void => void (this.stderr += text);

  /** Lines that were drawn where bars are, in order, without control sequences. */
  get drawn(): string[] {
    const controls = new RegExp(`${String.fromCharCode(27)}(\\[[0-9;?]*[A-Za-z]|[78])`, 'g');
    return this.bars.text
      .replace(controls, '\n')
      .split('\n')
      .filter((line) => line.trim() !== '');
  }
}
