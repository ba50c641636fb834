import { readlinkSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';

/**
 * Lets other threads go before the calling one and those that it starts: its niceness becomes `niceness`, 1 to 19, unless
 * it is higher already. Only Linux gives threads priorities of their own; elsewhere nothing changes.
 */
export function makeThreadNicer(niceness: number): void {
  try {
    // A link whose target ends in the number of the thread that reads it.
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    if (getPriority(thread) < niceness) setPriority(thread, niceness);
  } catch {
    // Priorities are a courtesy: where there are none, or they may not be set, the thread works as well.
  }
}
