export { commonSettings } from './common-settings.ts';
export {
  compileConfig,
  ConfigError,
  describeSettings,
  maskedConfig,
  setting,
  type ConfigOf,
  type Environment,
  type Setting,
  type Settings,
} from './config.ts';
export type { EventLoopDelay } from './event-loop-delay.ts';
export { callUnary, CHANNEL_OPTIONS, createClient, MAX_MESSAGE_BYTES, readStream } from './grpc-client.ts';
export { GrpcServer, type DrainOptions, type ServedService } from './grpc-server.ts';
export { streamHandler, unaryHandler, type HandlerContext } from './handlers.ts';
export { createLogger, type LogDestination, type Logger } from './logger.ts';
export { mapInOrder } from './map-in-order.ts';
export {
  errorText,
  isServiceError,
  RequestError,
  toGrpcStatus,
  type RequestErrorKind,
} from './request-error.ts';
export {
  runService,
  type HostProcess,
  type ServiceDefinition,
  type ServiceState,
  type ServingMessage,
  type StartedService,
} from './run-service.ts';
export {
  addressListSchema,
  addressSchema,
  integerSchema,
  logLevelSchema,
  sizeSchema,
} from './setting-schemas.ts';
export { StreamRegistry } from './stream-registry.ts';
