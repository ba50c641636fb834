import type { EpochRecord } from '@lunastream/metrics';

/** State of a run; see RunState of the training proto. */
export type RunState = 'starting' | 'running' | 'finished' | 'stopped' | 'failed';

/** Where a running epoch stands. */
export interface BatchProgress {
  readonly epoch: number;
  readonly split: 'trn' | 'val';
  readonly doneSamples: number;
  readonly totalSamples: number;
  readonly samplesPerSecond: number;
  readonly meanLoss: number;
  /** What the run waits for while nothing arrives. */
  readonly waitingFor: string | undefined;
}

/** A change of a run's state. */
export interface RunStatus {
  readonly state: RunState;
  /** Reason of a failure, or empty. */
  readonly message: string;
  /** Epoch of the best checkpoint; 0 while there is none. */
  readonly bestEpoch: number;
  /** Share of the wall time in which the engine waited for samples. */
  readonly stallFraction: number;
}

/** What happens in a run. */
export type RunEvent =
  | { readonly kind: 'line'; readonly time: Date; readonly level: 'INFO' | 'WARNING'; readonly text: string }
  | { readonly kind: 'progress'; readonly progress: BatchProgress }
  | { readonly kind: 'scores'; readonly record: EpochRecord }
  | { readonly kind: 'status'; readonly status: RunStatus };

type LastingEvent = Exclude<RunEvent, { kind: 'progress' }>;

/**
 * The story of a run: keeps its lines, scores and states, and tells them to any number of watchers from the start.
 * Progress is only the latest: a slow watcher skips what it missed of that and nothing else.
 */
export class RunJournal {
  readonly #events: LastingEvent[] = [];
  readonly #wakes = new Set<() => void>();
  #progress: BatchProgress | undefined;
  #progressCount = 0;
  #ended = false;

  /** Whether the run's final state is told. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** Records an event and wakes the watchers. */
  add(event: RunEvent): void {
    if (event.kind === 'progress') {
      this.#progress = event.progress;
      this.#progressCount++;
    } else {
      this.#events.push(event);
      this.#ended = event.kind === 'status' && isFinal(event.status.state);
    }
    for (const wake of this.#wakes) wake();
  }

  /** Every event so far, then every new one until the run's final state, or until `signal` aborts. */
  async *watch(signal: AbortSignal): AsyncGenerator<RunEvent, void, undefined> {
    let next = 0;
    let seenProgress = this.#progressCount;
    for (;;) {
      signal.throwIfAborted();
      const event = this.#events[next];
      if (event !== undefined) {
        next++;
        yield event;
      } else if (this.#ended) {
        return;
      } else if (this.#progress !== undefined && seenProgress < this.#progressCount) {
        seenProgress = this.#progressCount;
        yield { kind: 'progress', progress: this.#progress };
      } else {
        await this.#nextEvent(signal);
      }
    }
  }

  async #nextEvent(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        this.#wakes.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#wakes.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

/** Whether a run in `state` will not change any more. */
export function isFinal(state: RunState): boolean {
  return state === 'finished' || state === 'stopped' || state === 'failed';
}
