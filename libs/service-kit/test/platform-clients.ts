import {
  credentials,
  makeClientConstructor,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProtoPath } from 'grpc-health-check';
import { createRequire } from 'node:module';

/** Clients of the services that every server has, as tools from outside would make them: from the published protos. */

const reflectionProtoPath = createRequire(import.meta.url).resolve(
  '@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto',
);

interface HealthClient extends Client {
  check(
    request: { service: string },
    callback: (error: Error | null, response: { status: string }) => void,
  ): void;
  watch(request: { service: string }): ClientReadableStream<{ status: string }>;
}

interface ReflectionResponse {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
  readonly errorResponse?: { readonly errorMessage: string };
}

interface ReflectionClient extends Client {
  serverReflectionInfo(): ClientDuplexStream<Record<string, string>, ReflectionResponse>;
}

function connect<Connected extends Client>(address: string, protoPath: string, service: string): Connected {
  const definition = loadSync(protoPath, { enums: String })[service] as ServiceDefinition;
  const Constructor = makeClientConstructor(definition, service);
  return new Constructor(address, credentials.createInsecure()) as unknown as Connected;
}

/** The health of `service` ('' for the whole server); rejects with the status where it is unknown. */
export async function checkHealth(address: string, service: string): Promise<string> {
  const client = connect<HealthClient>(address, healthProtoPath, 'grpc.health.v1.Health');
  try {
    return await new Promise<string>((resolve, reject) => {
      client.check({ service }, (error, response) => {
        if (error === null) resolve(response.status);
        else reject(error);
      });
    });
  } finally {
    client.close();
  }
}

/** Watches the health of `service` until the stream ends, however it ends. */
export async function* watchHealth(address: string, service: string): AsyncGenerator<string, void> {
  const client = connect<HealthClient>(address, healthProtoPath, 'grpc.health.v1.Health');
  const stream = client.watch({ service });
  try {
    for await (const message of stream) yield (message as { status: string }).status;
  } catch {
    // A server that stops closes its watchers' connections.
  } finally {
    stream.cancel();
    client.close();
  }
}

/** Asks server reflection one thing. */
export async function reflect(
  address: string,
  request: { listServices: string } | { fileContainingSymbol: string },
): Promise<ReflectionResponse> {
  const client = connect<ReflectionClient>(
    address,
    reflectionProtoPath,
    'grpc.reflection.v1.ServerReflection',
  );
  const stream = client.serverReflectionInfo();
  try {
    return await new Promise<ReflectionResponse>((resolve, reject) => {
      stream.once('data', resolve).once('error', reject);
      stream.write(request);
    });
  } finally {
    stream.on('error', () => undefined).cancel();
    client.close();
  }
}
