import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { credentials, loadPackageDefinition, type Client, type ClientDuplexStream } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProtoPath } from 'grpc-health-check';

const require = createRequire(import.meta.url);

type ClientConstructor<Methods> = new (
  address: string,
  channelCredentials: ReturnType<typeof credentials.createInsecure>,
) => Client & Methods;

interface HealthMethods {
  check(
    request: { service: string },
    callback: (error: Error | null, response: { status: string }) => void,
  ): void;
}

interface ReflectionMethods {
  serverReflectionInfo(): ClientDuplexStream<
    { listServices: string },
    { listServicesResponse: { service: { name: string }[] } }
  >;
}

/** A client made from a proto file, as tools such as grpcurl make theirs: our generated code is not used. */
function createProbe<Methods>(protoPath: string, path: readonly string[], address: string): Client & Methods {
  let found: unknown = loadPackageDefinition(loadSync(protoPath, { enums: String, defaults: true }));
  for (const name of path) found = (found as Record<string, unknown>)[name];
  return new (found as ClientConstructor<Methods>)(address, credentials.createInsecure());
}

/** Answer of grpc.health.v1 for `service`; an empty name asks about the whole server. */
export async function checkHealth(address: string, service = ''): Promise<string> {
  const client = createProbe<HealthMethods>(healthProtoPath, ['grpc', 'health', 'v1', 'Health'], address);
  try {
    return await new Promise((resolve, reject) => {
      client.check({ service }, (error, response) =>
        error === null ? resolve(response.status) : reject(error),
      );
    });
  } finally {
    client.close();
  }
}

/** Names of the services that reflection lists. */
export async function listServices(address: string): Promise<string[]> {
  const protoPath = join(
    dirname(require.resolve('@grpc/reflection/package.json')),
    'build/proto/grpc/reflection/v1/reflection.proto',
  );
  const client = createProbe<ReflectionMethods>(
    protoPath,
    ['grpc', 'reflection', 'v1', 'ServerReflection'],
    address,
  );
  try {
    const call = client.serverReflectionInfo();
    const names = await new Promise<string[]>((resolve, reject) => {
      call.once(
        'data',
        ({ listServicesResponse }: { listServicesResponse: { service: { name: string }[] } }) =>
          resolve(listServicesResponse.service.map(({ name }) => name)),
      );
      call.once('error', reject);
      call.write({ listServices: '' });
    });
    call.end();
    return names;
  } finally {
    client.close();
  }
}
