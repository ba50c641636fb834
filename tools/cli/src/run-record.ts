import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LABELS, SAMPLERS } from '@lunastream/dataset';
import { INPUT_NORMALISATIONS } from '@lunastream/engine';
import { z } from 'zod';
import { BORDER_RULES } from '@lunastream/volume';
import { CommandError } from './errors.ts';

const axis = z.int().positive();
const fraction = z.number().nonnegative();

/** What commands read of a run's run.json; the trainer writes it. */
const runRecordSchema = z.object({
  runId: z.string(),
  datasetFingerprint: z.string(),
  settings: z.object({
    seed: z.int().nonnegative(),
    ratio: z.int().nonnegative(),
    ratioSchedule: z.string().optional(),
    sampler: z.enum(SAMPLERS).default('shuffled'),
    epochLength: z.int().positive().optional(),
    split: z.enum(['series', 'candidate']),
    labels: z.enum(LABELS).default('nodule'),
    chunkShape: z.object({ depth: axis, height: axis, width: axis }),
    augmentation: z.object({
      flip: z.boolean(),
      offset: fraction,
      scale: fraction,
      rotate: z.boolean(),
      noiseHu: fraction,
      elasticVoxels: fraction,
      huShift: fraction,
      huScale: fraction,
      mixupAlpha: fraction,
    }),
    margin: z.boolean(),
    voxelType: z.enum(['float32', 'float16']),
    // Runs of earlier versions knew no other.
    border: z.enum(BORDER_RULES).default('shift'),
    threshold: z.number().min(0).max(1).default(0.5),
    learning: z
      .object({ inputNormalisation: z.enum(INPUT_NORMALISATIONS) })
      .default({ inputNormalisation: 'batch' }),
  }),
});

/** A run as its folder tells it. */
export type RunRecord = z.infer<typeof runRecordSchema>;

/** Reads run.json of a run folder. @throws CommandError naming file and field. */
export async function readRunRecord(runFolder: string): Promise<RunRecord> {
  const path = join(runFolder, 'run.json');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CommandError(`Cannot read run ${runFolder}: there is no ${path}`, undefined, { cause });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CommandError(`Cannot read run ${runFolder}: ${path} is not JSON`, undefined, { cause });
  }
  const parsed = runRecordSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CommandError(
    `Cannot read run ${runFolder}: ${path}: ${issue!.path.join('.')}: ${issue!.message}`,
  );
}
