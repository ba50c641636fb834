import { fileURLToPath } from 'node:url';

/**
 * Path of the compiled FileDescriptorSet of proto/, comments left out; what gRPC server reflection answers from.
 * It lives at the package's top so that the path is the same from src/ and from dist/src/.
 */
export const descriptorSetPath = fileURLToPath(
  import.meta.resolve('@lunastream/contracts/descriptor-set.binpb'),
);
