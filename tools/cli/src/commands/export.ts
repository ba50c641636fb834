import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { encodeSafetensors, toLayersModel } from '@lunastream/engine';
import { formatShape } from '@lunastream/volume';
import { CommandError } from '../errors.ts';
import { readModel, type ModelChoice, type ModelFile } from '../trained-model.ts';
import type { CommandContext } from './context.ts';
import { addModelOptions } from './model-options.ts';

interface Options extends ModelChoice {
  readonly format: 'safetensors' | 'tfjs';
  readonly out: string;
}

/** Normalisations that are one factor and one shift: all that a layers model can hold. */
const LINEAR_NORMALISATIONS: readonly string[] = ['batch', 'fixed'];

export function registerExport(program: Command, context: CommandContext): void {
  const command = program
    .command('export')
    .description("write a model's weights for PyTorch (safetensors) or a tfjs layers model")
    .requiredOption('--out <path>', 'file of safetensors; folder of tfjs: model.json and weights.bin')
    .addOption(
      new Option('--format <name>', 'what to write').choices(['safetensors', 'tfjs']).default('safetensors'),
    );
  addModelOptions(command).action((options: Options) => exportModel(options, context));
}

async function exportModel(options: Options, { terminal }: CommandContext): Promise<void> {
  const model = await readModel(options);
  const out = resolve(options.out);
  if (options.format === 'safetensors') {
    await mkdir(dirname(out), { recursive: true });
    await writeFile(out, encodeSafetensors({ tensors: model.weights, metadata: metadataOf(model) }));
  } else {
    if (!LINEAR_NORMALISATIONS.includes(model.inputNormalisation)) {
      throw new CommandError(
        `Cannot export ${model.path} for tfjs: its input normalisation must be one of ` +
          `${LINEAR_NORMALISATIONS.join(', ')}, got ${model.inputNormalisation}`,
      );
    }
    const { modelJson, weights } = toLayersModel(model.weights, model.chunkShape);
    await mkdir(out, { recursive: true });
    await writeFile(join(out, 'weights.bin'), weights);
    await writeFile(join(out, 'model.json'), modelJson);
  }
  terminal.out(`${options.format} ${out}\n`);
}

/** Strings, as the format has them; `format: pt` is what PyTorch's reader looks for. */
function metadataOf({ chunkShape, inputNormalisation, border, labels }: ModelFile): Record<string, string> {
  return {
    format: 'pt',
    chunk_shape: formatShape(chunkShape),
    input_normalisation: inputNormalisation,
    border,
    labels,
  };
}
