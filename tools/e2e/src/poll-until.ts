import { setTimeout as delay } from 'node:timers/promises';

const POLL_INTERVAL_MS = 20;

/** Waits until `holds` answers true, however long that takes: for what no event tells. */
export async function pollUntil(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await delay(POLL_INTERVAL_MS);
}
