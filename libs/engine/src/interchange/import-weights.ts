/**
 * Weights that were trained elsewhere: a safetensors file with the names and shapes of the PyTorch program
 * (`safetensors.torch.save_file(model.state_dict(), path)`), or one of our own checkpoints, of which the optimizer is left.
 */
import type { ModelState, ModelTensor } from '../engine.ts';
import { ModelStateMismatchError } from '../errors.ts';
import { MODEL_PARTS } from '../luna-model.ts';
import { decodeSafetensors } from '../safetensors.ts';

const OPTIMIZER_PREFIX = 'optimizer.';
/** Of a checkpoint within an epoch (checkpoint.ts): no weights. */
const PROGRESS_PREFIX = 'progress.';
/** What DataParallel puts before every name. */
const WRAPPER_PREFIX = 'module.';

/**
 * The model's tensors in a safetensors file, without an optimizer's, converted to float32.
 * @throws CorruptCheckpointError when the bytes are no whole safetensors file or of a type that cannot be read.
 */
export function readWeights(file: Uint8Array): ModelTensor[] {
  return decodeSafetensors(file)
    .tensors.filter(({ name }) => !name.startsWith(OPTIMIZER_PREFIX) && !name.startsWith(PROGRESS_PREFIX))
    .map((tensor) => ({
      ...tensor,
      name: tensor.name.startsWith(WRAPPER_PREFIX) ? tensor.name.slice(WRAPPER_PREFIX.length) : tensor.name,
    }));
}

/**
 * `state` (as an engine exports it) with the model's tensors replaced by `weights`; its optimizer stays.
 * @throws ModelStateMismatchError naming the tensor when one is missing, unknown, double or of another shape.
 */
export function withWeights(state: ModelState, weights: readonly ModelTensor[]): ModelState {
  const remaining = new Map(weights.map((tensor) => [tensor.name, tensor]));
  const double = weights.find(({ name }, place) => weights.findIndex((other) => other.name === name) < place);
  if (double !== undefined)
    throw new ModelStateMismatchError(double.name, 'weights hold each tensor once', 'it twice');
  const merged = state.map((tensor) => {
    if (tensor.name.startsWith(OPTIMIZER_PREFIX)) return tensor;
    const replacement = remaining.get(tensor.name);
    const shape = `[${tensor.shape.join(', ')}]`;
    if (replacement === undefined) {
      throw new ModelStateMismatchError(
        tensor.name,
        `the weights must hold it with shape ${shape}`,
        'no such tensor',
      );
    }
    if (replacement.shape.join() !== tensor.shape.join()) {
      throw new ModelStateMismatchError(
        tensor.name,
        `its shape must be ${shape} (does the chunk shape differ?)`,
        `[${replacement.shape.join(', ')}]`,
      );
    }
    remaining.delete(tensor.name);
    return replacement;
  });
  const [unknown] = remaining.keys();
  if (unknown !== undefined) {
    throw new ModelStateMismatchError(unknown, 'this network has no such tensor', 'it in the weights');
  }
  return merged;
}

const HEAD_PREFIX = `${MODEL_PARTS.at(-1)!}.`;

/**
 * `weights` with the head of `state` in place of their own, if they have one: for a question that they were not trained for, or
 * another chunk shape, on which only the head depends.
 */
export function withNewHead(state: ModelState, weights: readonly ModelTensor[]): ModelTensor[] {
  const isHead = ({ name }: ModelTensor) => name.startsWith(HEAD_PREFIX);
  return [...weights.filter((tensor) => !isHead(tensor)), ...state.filter(isHead)];
}

/** `state` as a safetensors file with the model's tensors alone, for `safetensors.torch.load_file`. */
export function modelTensors(state: ModelState): ModelTensor[] {
  return state.filter(({ name }) => !name.startsWith(OPTIMIZER_PREFIX));
}
