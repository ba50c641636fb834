// Threads that share this module's memory and meet by atomics. A job is a number of tasks; each thread takes the next
// task until none is left and runs its own program, a list of kernel calls, for each. Which thread takes a task is
// chance, so a task's result must depend on its number only.
import { runKernel } from './kernel-table';

/** 32-bit fields of the control block; thread t's program address follows at `PROGRAMS + t`. Mirrored in control-block.ts. */
export const GENERATION: usize = 0;
export const NEXT_TASK: usize = 4;
export const TASK_COUNT: usize = 8;
/** Threads beside the caller's that have not finished the job. */
export const RUNNING: usize = 12;
export const CLOSED: usize = 16;
/** A thread trapped. */
export const FAILED: usize = 20;
export const PROGRAMS: usize = 24;

/** Steps are 32-bit words: kernel number, bytes to the next step, arguments. Number 0 ends the program. */
function runProgram(program: usize, task: i32): void {
  for (let step = program; ; step += load<u32>(step, 4)) {
    const kernel = load<i32>(step);
    if (kernel == 0) return;
    runKernel(kernel, step + 8, task);
  }
}

function runTasks(control: usize, thread: i32): void {
  const program = <usize>load<u32>(control + PROGRAMS + ((<usize>thread) << 2));
  const count = load<i32>(control + TASK_COUNT);
  for (;;) {
    const task = atomic.add<i32>(control + NEXT_TASK, 1);
    if (task >= count) return;
    runProgram(program, task);
  }
}

/** Runs the job of the control block with `helpers` other threads and returns when all tasks are done. */
export function runJob(control: usize, helpers: i32): void {
  atomic.store<i32>(control + NEXT_TASK, 0);
  atomic.store<i32>(control + RUNNING, helpers);
  if (helpers > 0) {
    atomic.add<i32>(control + GENERATION, 1);
    atomic.notify(control + GENERATION, -1);
  }
  runTasks(control, 0);
  for (;;) {
    const running = atomic.load<i32>(control + RUNNING);
    if (running == 0) return;
    atomic.wait<i32>(control + RUNNING, running, -1);
  }
}

/** The life of thread `thread`: job after job, from `generation` on, until the pool closes. */
export function serve(control: usize, thread: i32, generation: i32): void {
  for (;;) {
    atomic.wait<i32>(control + GENERATION, generation, -1);
    const current = atomic.load<i32>(control + GENERATION);
    if (current == generation) continue;
    generation = current;
    if (atomic.load<i32>(control + CLOSED) != 0) return;
    runTasks(control, thread);
    if (atomic.sub<i32>(control + RUNNING, 1) == 1) atomic.notify(control + RUNNING, -1);
  }
}
