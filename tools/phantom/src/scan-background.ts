import type { Volume } from '@lunastream/volume';
import type { NoduleBody } from './nodules/insert-nodule.ts';
import type { LookAlike, LookAlikeRequest } from './look-alikes.ts';
import type { Lung } from './lung.ts';
import type { Vector } from './geometry/vector.ts';

/**
 * One scan on its way: a chest without nodules at first. Made by synthetic-chest.ts or real-background.ts; used in the
 * order look-alikes, nodules, finish.
 */
export interface ScanBackground {
  /** Of the CT or formula behind it, for the record. */
  readonly name: string;
  /** Scans that show the same patient share it. */
  readonly patientId: string;
  /** Its voxels change in place. */
  readonly volume: Volume;
  readonly lung: Lung;
  readonly vesselPoints: readonly Vector[];
  /** Of plain lung. */
  readonly parenchymaHu: number;
  /** Finds, or draws, `request.count` negatives; fewer when there is no room. */
  placeLookAlikes(request: LookAlikeRequest): LookAlike[];
  insertNodule(nodule: NoduleBody): void;
  /** Last step before writing. `breathe` is awaited between slabs of slices. */
  finish(breathe: () => Promise<void>): Promise<void>;
}
