import { once } from 'node:events';
import { getPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';

const compiled = fileURLToPath(new URL('../../dist/src/engine/thread-priority.js', import.meta.url));

/** A thread that tells its priority. */
const TELL_PRIORITY = `
const { parentPort } = require('node:worker_threads');
const thread = Number(require('node:fs').readlinkSync('/proc/thread-self').split('/').pop());
parentPort.postMessage(require('node:os').getPriority(thread));`;

/** A thread that makes itself nicer, then tells its priority and that of a thread that it starts. */
const NICE_THREAD = `
const { parentPort, workerData, Worker } = require('node:worker_threads');
import(workerData.compiled).then(({ makeThreadNicer }) => {
  makeThreadNicer(workerData.niceness);
  eval(workerData.tellPriority);
  new Worker(workerData.tellPriority, { eval: true }).once('message', (priority) => parentPort.postMessage(priority));
});`;

async function prioritiesOfNiceThread(niceness: number): Promise<readonly unknown[]> {
  const workerData = { compiled, niceness, tellPriority: TELL_PRIORITY };
  const thread = new Worker(NICE_THREAD, { eval: true, workerData });
  const priorities: unknown[] = [];
  thread.on('message', (priority: unknown) => priorities.push(priority));
  await once(thread, 'exit');
  return priorities;
}

describe.runIf(process.platform === 'linux')('makeThreadNicer()', () => {
  it('lowers the priority of its thread and of those that this one starts, of no other', async () => {
    const before = getPriority();
    const expected = Math.max(before, 5);
    expect(await prioritiesOfNiceThread(5)).toEqual([expected, expected]);
    expect(getPriority()).toBe(before);
  });

  it('raises none', async () => {
    const before = getPriority();
    expect(await prioritiesOfNiceThread(-20)).toEqual([before, before]);
  });
});
