import { expect, it } from 'vitest';
import * as serviceKit from '../src/index.ts';
import * as testing from '../src/testing/index.ts';

it('exports these names and no others', () => {
  expect(Object.keys(serviceKit).sort()).toMatchInlineSnapshot(`
    [
      "AddressWatcher",
      "CHANNEL_OPTIONS",
      "ConfigError",
      "ConnectionSecurity",
      "GrpcServer",
      "InsecureConnectionError",
      "MAX_MESSAGE_BYTES",
      "RequestError",
      "StreamRegistry",
      "addressSchema",
      "booleanSchema",
      "callUnary",
      "commonSettings",
      "compileConfig",
      "createClient",
      "createLogger",
      "describeSettings",
      "errorText",
      "hostOf",
      "integerSchema",
      "isLoopback",
      "isSecurityFault",
      "isServiceError",
      "logLevelSchema",
      "mapInOrder",
      "maskedConfig",
      "optionalTextSchema",
      "prometheusSetting",
      "protectedUnaryHandler",
      "rankServers",
      "readStream",
      "runService",
      "securitySettings",
      "setting",
      "sizeOrNoneSchema",
      "sizeSchema",
      "streamHandler",
      "targetListSchema",
      "targetSchema",
      "toGrpcStatus",
      "unaryHandler",
    ]
  `);
  expect(Object.keys(testing).sort()).toMatchInlineSnapshot(`
    [
      "collect",
      "failureOf",
      "startInProcessServer",
    ]
  `);
});
