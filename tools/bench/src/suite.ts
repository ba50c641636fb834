import type { Command } from 'commander';

/** Figures of a suite by name, as printed with --json. */
export type Figures = Readonly<Record<string, Figure | readonly Readonly<Record<string, Figure>>[]>>;

/** One figure. */
export type Figure = number | string | null;

/** What every suite is asked. */
export interface SuiteOptions {
  /** Also measure the peer program, in the same run. */
  readonly peer: boolean;
  /** Python with the peer's packages. */
  readonly python: string;
}

/** A benchmark: one question. */
export interface Suite<Options extends SuiteOptions = SuiteOptions> {
  readonly name: string;
  /** The question it answers, for --help. */
  readonly question: string;
  /** Adds the flags that only this suite has. */
  addOptions(command: Command): Command;
  run(options: Options): Promise<Figures>;
}
