import { context, propagation, trace } from '@opentelemetry/api';

/** Key of the baggage that carries a run's id from service to service, beside its trace. */
const RUN_KEY = 'lunastream.run';

/** Runs `work`, and whatever it starts here and in the services it calls, as part of the run `runId`. */
export function withRun<Result>(runId: string, work: () => Result): Result {
  const active = context.active();
  const baggage = (propagation.getBaggage(active) ?? propagation.createBaggage()).setEntry(RUN_KEY, {
    value: runId,
  });
  return context.with(propagation.setBaggage(active, baggage), work);
}

/** What log lines carry of the work they belong to: trace and span where it is traced, the run where it is of one. */
export function logFields(): Readonly<Record<string, string>> {
  const active = context.active();
  const spanContext = trace.getSpanContext(active);
  const run = propagation.getBaggage(active)?.getEntry(RUN_KEY)?.value;
  return {
    ...(spanContext !== undefined && trace.isSpanContextValid(spanContext)
      ? { trace_id: spanContext.traceId, span_id: spanContext.spanId }
      : {}),
    ...(run === undefined ? {} : { run_id: run }),
  };
}
