import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from './terminal.ts';

/** A bar with an ETA for work of known size; silent where standard output is no terminal. */
export interface TaskProgress {
  update(done: number, total: number): void;
  close(): void;
}

/** For commands that are told to be quiet. */
export const NO_PROGRESS: TaskProgress = { update: () => undefined, close: () => undefined };

/** Makes a bar that counts `unit`. */
export function createTaskProgress(unit: string, terminal: Terminal): TaskProgress {
  if (!terminal.isInteractive) return NO_PROGRESS;
  const bar = new SingleBar(
    {
      format: `{bar} {value}/{total} ${unit}  {eta_formatted} left`,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      stream: terminal.bars,
    },
    Presets.shades_classic,
  );
  let isStarted = false;
  return {
    update: (done, total) => {
      if (!isStarted) bar.start(total, done);
      isStarted = true;
      bar.setTotal(total);
      bar.update(done);
    },
    close: () => bar.stop(),
  };
}
