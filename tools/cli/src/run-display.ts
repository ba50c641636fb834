import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import colors from 'picocolors';
import {
  RunState,
  type BatchProgress,
  type EpochScores,
  type RunStatus,
  type WatchRunResponse,
} from '@lunastream/contracts';
import { closingTable } from './closing-table.ts';
import type { Terminal } from './terminal.ts';

/** Shows the events of a run as they come. */
export interface RunDisplay {
  show(event: WatchRunResponse): void;
  /** Shows the closing table; called once, after the last event. */
  close(runFolder: string): void;
}

/** How a run is shown: for people, for people in a hurry, for machines. */
export type DisplayForm = 'full' | 'quiet' | 'json';

export function createRunDisplay(form: DisplayForm, terminal: Terminal): RunDisplay {
  switch (form) {
    case 'full':
      return new FullDisplay(terminal);
    case 'quiet':
      return new QuietDisplay(terminal);
    case 'json':
      return new JsonDisplay(terminal);
  }
}

/** What every form keeps until the end. */
class ClosingWords {
  readonly scores: EpochScores[] = [];
  status: RunStatus | undefined;

  note({ event }: WatchRunResponse): void {
    if (event?.$case === 'scores') this.scores.push(event.value);
    if (event?.$case === 'status') this.status = event.value;
  }

  text(runFolder: string): string {
    const lines = this.scores.length > 0 ? ['', closingTable(this.scores), ''] : [];
    if (this.status !== undefined && this.status.bestEpoch > 0) {
      lines.push(
        `best epoch ${this.status.bestEpoch}, engine waited for samples ${percent(this.status.stallFraction)}`,
      );
    }
    return [...lines, `run folder ${runFolder}`, ''].join('\n');
  }
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}

function clockTime(time: Date | undefined): string {
  return (time ?? new Date(0)).toTimeString().slice(0, 8);
}

/** Log lines, and on a terminal a bar for the running epoch. */
class FullDisplay implements RunDisplay {
  readonly #terminal: Terminal;
  readonly #closing = new ClosingWords();
  #bars: MultiBar | undefined;
  #bar: SingleBar | undefined;
  #barName = '';
  #waitingFor = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(response: WatchRunResponse): void {
    this.#closing.note(response);
    const { event } = response;
    if (event?.$case === 'logLine') {
      const { time, level, text } = event.value;
      this.#line(`${clockTime(time)} ${level.padEnd(8)} ${text}`, level === 'WARNING');
    } else if (event?.$case === 'progress') this.#progress(event.value);
    else if (event?.$case === 'status') this.#status(event.value);
  }

  close(runFolder: string): void {
    this.#endBars();
    this.#terminal.out(this.#closing.text(runFolder));
  }

  #status({ state, message }: RunStatus): void {
    if (state === RunState.FAILED) this.#line(`run failed: ${message}`, true);
    if (state === RunState.STOPPED) this.#line('run stopped', true);
  }

  #line(text: string, isWarning: boolean): void {
    const shown = isWarning && this.#terminal.isInteractive ? colors.yellow(text) : text;
    if (this.#bars?.isActive === true) this.#bars.log(`${shown}\n`);
    else this.#terminal.out(`${shown}\n`);
  }

  #progress(progress: BatchProgress): void {
    if (progress.waitingFor !== '' && progress.waitingFor !== this.#waitingFor) {
      this.#line(`waiting for ${progress.waitingFor}`, true);
    }
    this.#waitingFor = progress.waitingFor;
    if (!this.#terminal.isInteractive) return;
    const name = `E${progress.epoch} ${progress.split}`;
    if (name !== this.#barName) this.#openBar(name, progress.totalSamples);
    this.#bar?.update(progress.doneSamples, {
      rate: progress.samplesPerSecond.toFixed(1),
      loss: progress.meanLoss.toFixed(4),
      left: remaining(progress),
    });
    if (progress.doneSamples === progress.totalSamples) this.#endBars();
  }

  #openBar(name: string, total: number): void {
    this.#endBars();
    this.#barName = name;
    this.#bars = new MultiBar(
      {
        format: `${name} {bar} {value}/{total} samples  {rate}/s  loss {loss}  {left} left`,
        barsize: Math.max(10, Math.min(40, this.#terminal.columns - 60)),
        hideCursor: true,
        clearOnComplete: true,
        gracefulExit: false,
        stream: this.#terminal.bars,
      },
      Presets.shades_classic,
    );
    this.#bar = this.#bars.create(total, 0, { rate: '0.0', loss: '-', left: '-' });
  }

  #endBars(): void {
    // Lines that wait for the next frame would be dropped by stop().
    if (this.#bars?.isActive === true) this.#bars.update();
    this.#bars?.stop();
    this.#bars = undefined;
    this.#bar = undefined;
  }
}

function remaining({ doneSamples, totalSamples, samplesPerSecond }: BatchProgress): string {
  if (samplesPerSecond <= 0) return '-';
  const seconds = Math.ceil((totalSamples - doneSamples) / samplesPerSecond);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
}

/** The closing table alone. */
class QuietDisplay implements RunDisplay {
  readonly #terminal: Terminal;
  readonly #closing = new ClosingWords();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(response: WatchRunResponse): void {
    this.#closing.note(response);
  }

  close(runFolder: string): void {
    this.#terminal.out(this.#closing.text(runFolder));
  }
}

/** A line of JSON per event, then one with the run's folder. */
class JsonDisplay implements RunDisplay {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show({ event }: WatchRunResponse): void {
    if (event === undefined) return;
    const value =
      event.$case === 'status' ? { ...event.value, state: stateName(event.value.state) } : event.value;
    this.#terminal.out(`${JSON.stringify({ event: event.$case, ...value })}\n`);
  }

  close(runFolder: string): void {
    this.#terminal.out(`${JSON.stringify({ event: 'closed', runFolder })}\n`);
  }
}

const STATE_NAMES: Record<RunState, string> = {
  [RunState.UNSPECIFIED]: 'unspecified',
  [RunState.STARTING]: 'starting',
  [RunState.RUNNING]: 'running',
  [RunState.FINISHED]: 'finished',
  [RunState.STOPPED]: 'stopped',
  [RunState.FAILED]: 'failed',
};

/** The name of a run's state. */
export function stateName(state: RunState): string {
  return STATE_NAMES[state];
}
