import { context, trace, type Attributes } from '@opentelemetry/api';
import { SCOPE } from './observations.ts';

/** A piece of work with a trace of its own. */
export interface TracedWork {
  /** Runs `work`, and whatever it starts, in the trace. */
  readonly run: <Result>(work: () => Result) => Result;
  /** The work has ended; only the first counts. */
  readonly end: (attributes?: Attributes) => void;
}

/** Begins a trace; what is active is left out of it, but for the run that it belongs to. */
export function startTrace(name: string, attributes: Attributes): TracedWork {
  const active = context.active();
  const span = trace.getTracer(SCOPE).startSpan(name, { root: true, attributes }, active);
  const within = trace.setSpan(active, span);
  return {
    run: (work) => context.with(within, work),
    end: (more = {}) => {
      span.setAttributes(more);
      span.end();
    },
  };
}
