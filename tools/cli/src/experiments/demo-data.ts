import { join } from 'node:path';
import { generatePhantom } from '@lunastream/phantom';
import type { CommandContext } from '../commands/context.ts';
import { CommandError, ExitCode } from '../errors.ts';
import { createTaskProgress } from '../task-progress.ts';

/** The data set of `npm start`: simulated nodules in real lungs, 40 negatives to a nodule. */
const DEMO = {
  background: 'real',
  seed: 1,
  scanCount: 16,
  nodulesPerScan: 12,
  negativesPerNodule: 40,
} as const;

/** Makes the demo data below the state folder, once; returns its folder. */
export async function ensureDemoData(
  stateFolder: string,
  { terminal, interrupted }: CommandContext,
): Promise<string> {
  const outDir = join(stateFolder, 'demo-data');
  const progress = createTaskProgress('scans of demo data', terminal);
  try {
    await generatePhantom({
      ...DEMO,
      outDir,
      signal: interrupted,
      onProgress: ({ scansDone, scanCount }) => progress.update(scansDone, scanCount),
    });
  } catch (error) {
    if (interrupted.aborted) throw new CommandError('interrupted', ExitCode.interrupted);
    throw error;
  } finally {
    progress.close();
  }
  return outDir;
}
