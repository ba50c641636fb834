import { LABELS } from '@lunastream/dataset';
import { INPUT_NORMALISATIONS } from '@lunastream/engine';
import { BORDER_RULES } from '@lunastream/volume';
import { z } from 'zod';

/** What a file of weights may say of how samples for it are made, and of what it tells apart. */
const toldSchema = z.object({
  labels: z.enum(LABELS).optional().catch(undefined),
  border: z.enum(BORDER_RULES).optional().catch(undefined),
  inputNormalisation: z.enum(INPUT_NORMALISATIONS).optional().catch(undefined),
});

export type ToldByWeights = z.infer<typeof toldSchema>;

/** Of a checkpoint's metadata: the settings of its run. */
const checkpointSchema = z.object({
  settings: toldSchema
    .omit({ inputNormalisation: true })
    .extend({ learning: toldSchema.pick({ inputNormalisation: true }).optional().catch(undefined) }),
});

/**
 * Reads the metadata of a safetensors file: of a run's checkpoint, or of what `lunastream export` wrote. Files of other programs
 * say nothing of this.
 */
export function toldByWeights(metadata: Readonly<Record<string, string>>): ToldByWeights {
  const checkpoint = checkpointSchema.safeParse({ settings: parseJson(metadata['settings']) });
  if (checkpoint.success) {
    const { learning, ...told } = checkpoint.data.settings;
    return { ...told, inputNormalisation: learning?.inputNormalisation };
  }
  const { labels, border, input_normalisation: inputNormalisation } = metadata;
  return toldSchema.parse({ labels, border, inputNormalisation });
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '') as unknown;
  } catch {
    return undefined;
  }
}
