/** Lets callers that ask for the same key at the same time share one piece of work. */
export class SingleFlight<Value> {
  readonly #running = new Map<string, Promise<Value>>();

  /** Runs `work`, or joins the run of `work` that is under way for `key`. A failure reaches every caller. */
  run(key: string, work: () => Promise<Value>): Promise<Value> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = work().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
