/**
 * What tests of services share: real gRPC servers and clients within the test's own process. For tests only; nothing here
 * depends on a test runner.
 */
export { collect, failureOf, type CallFailure } from './call-outcome.ts';
export { startInProcessServer, type InProcessServer, type LogLine } from './in-process-server.ts';
