export type { Authorize } from './bearer-token.ts';
export type { ServerLimits } from './call-limits.ts';
export {
  AddressWatcher,
  type AddressWatcherOptions,
  type Lookup,
  type ServerAddress,
} from './address-watcher.ts';
export { commonSettings, prometheusSetting } from './common-settings.ts';
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
export {
  ConnectionSecurity,
  InsecureConnectionError,
  isSecurityFault,
  type SecurityConfig,
} from './connection-security.ts';
export type { EventLoopDelay } from './event-loop-delay.ts';
export type { BulkReceiver, OpenBulkCall } from './bulk/bulk-call.ts';
export type { BulkClient, BulkMethod } from './bulk/bulk-client.ts';
export {
  callUnary,
  CHANNEL_OPTIONS,
  createBulkClient,
  createClient,
  MAX_MESSAGE_BYTES,
  readStream,
  type ClientConstructor,
  type ConnectOptions,
} from './grpc-client.ts';
export { GrpcServer, type DrainOptions, type GrpcServerOptions, type ServedService } from './grpc-server.ts';
export {
  protectedUnaryHandler,
  streamHandler,
  unaryHandler,
  writingHandler,
  type HandlerContext,
} from './handlers.ts';
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
  type ServiceContext,
  type ServiceDefinition,
  type ServiceState,
  type ServingMessage,
  type StartedService,
} from './run-service.ts';
export { hostOf, isLoopback } from './peer-address.ts';
export { PROBES, type Probe } from './probe-server.ts';
export type { ResponseWriter } from './response-writer.ts';
export { securitySettings } from './security-settings.ts';
export {
  addressSchema,
  booleanSchema,
  integerSchema,
  logLevelSchema,
  namedFoldersSchema,
  optionalTextSchema,
  sizeOrNoneSchema,
  sizeSchema,
  targetListSchema,
  targetSchema,
} from './setting-schemas.ts';
export { rankServers } from './rendezvous.ts';
export { StreamRegistry } from './stream-registry.ts';
