/** A whole synthetic chest CT: anatomy, then bronchi and vessels, then look-alikes and nodules, and the noise over all. */
import { containsIrc, xyzMm, xyzToIrc, type Shape, type Volume } from '@lunastream/volume';
import { ChestAnatomy, sampleChestVariant } from './chest-anatomy.ts';
import { drawTube, edgeWidthMm, type TubePaint } from './draw-tube.ts';
import { insertNodule, scannerBlurOf } from '../nodules/insert-nodule.ts';
import { PhantomStage, stageStream } from '../random-stages.ts';
import type { ScanBackground } from '../scan-background.ts';
import { ScannerNoise } from '../scanner-noise.ts';
import { sampleSyntheticView, type SyntheticView } from './synthetic-geometry.ts';
import { SyntheticLung } from './synthetic-lung.ts';
import { placeSyntheticLookAlikes, type TreePlaces } from './synthetic-look-alikes.ts';
import { add, scaled, type Vector } from '../geometry/vector.ts';
import { growVesselTree, LUMEN_RATIO, type VesselPiece, type VesselTree } from './vessel-tree.ts';
import { visitVoxels } from '../geometry/visit-voxels.ts';
import { spacingIrcMm } from '../geometry/voxel-box.ts';

const VESSEL_HU = 40;
const AIRWAY_WALL_HU = -80;
const AIR_HU = -990;
const NOISE_SIGMA_HU = [16, 40] as const;
// A look-alike on the pleura shows the pleura: those on vessels keep this far from it.
const VESSEL_DEPTH_MM = 4;

async function drawAnatomy(
  volume: Volume,
  anatomy: ChestAnatomy,
  chestOrigin: Vector,
  breathe: () => Promise<void>,
): Promise<void> {
  const { geometry, voxelsHu } = volume;
  const { depth, height, width } = geometry.shape;
  const widthMm = edgeWidthMm(volume);
  const [cx, cy, cz] = chestOrigin;
  for (let index = 0; index < depth; index++) {
    visitVoxels(geometry, { start: [index, 0, 0], shape: { depth: 1, height, width } }, (offset, x, y, z) => {
      voxelsHu[offset] = Math.round(anatomy.huAt(x - cx, y - cy, z - cz, widthMm));
    });
    await breathe();
  }
}

function moved(piece: VesselPiece, by: Vector): VesselPiece {
  return { ...piece, from: add(piece.from, by), to: add(piece.to, by) };
}

function narrowed(piece: VesselPiece, ratio: number): VesselPiece {
  return { ...piece, fromRadiusMm: piece.fromRadiusMm * ratio, toRadiusMm: piece.toRadiusMm * ratio };
}

/** Walls of all bronchi before all lumens, so that no wall closes the next one's lumen; vessels last. */
function drawTree(volume: Volume, tree: VesselTree, chestOrigin: Vector, surroundingHu: number): void {
  const draw = (pieces: readonly VesselPiece[], paint: TubePaint) => {
    for (const piece of pieces) drawTube(volume, moved(piece, chestOrigin), paint);
  };
  draw(tree.airways, { tissueHu: AIRWAY_WALL_HU, surroundingHu, mode: 'brighten' });
  const lumens = tree.airways.map((piece) => narrowed(piece, LUMEN_RATIO));
  draw(lumens, { tissueHu: AIR_HU, surroundingHu, mode: 'replace' });
  draw(tree.vessels, { tissueHu: VESSEL_HU, surroundingHu, mode: 'brighten' });
}

function placesOf(tree: VesselTree, view: SyntheticView, lung: SyntheticLung): TreePlaces {
  const isShown = (point: Vector) =>
    lung.depthMm(point) > VESSEL_DEPTH_MM &&
    containsIrc(view.geometry.shape, xyzToIrc(view.geometry, xyzMm(...point)));
  const middle = ({ from, to }: VesselPiece) => add(scaled(add(from, to), 0.5), view.chestOrigin);
  return {
    vessels: tree.vessels.map(middle).filter(isShown),
    bifurcations: tree.bifurcations.map((point) => add(point, view.chestOrigin)).filter(isShown),
    airways: tree.airways.map(middle).filter(isShown),
  };
}

export interface SyntheticScanKey {
  readonly seed: number;
  readonly scanIndex: number;
  readonly shape: Shape;
}

/**
 * Makes the background of one synthetic scan; each is a patient of its own. Holds one int16 volume of `shape` and little
 * else. `breathe` is awaited after every slice.
 */
export async function makeSyntheticBackground(
  { seed, scanIndex, shape }: SyntheticScanKey,
  breathe: () => Promise<void>,
): Promise<ScanBackground> {
  const geometryRandom = stageStream(seed, scanIndex, PhantomStage.geometry);
  const noiseRandom = stageStream(seed, scanIndex, PhantomStage.noise);
  const view = sampleSyntheticView(shape, scanIndex, geometryRandom);
  const anatomy = new ChestAnatomy(sampleChestVariant(geometryRandom));
  const lung = new SyntheticLung(anatomy, view.geometry, view.chestOrigin);
  const voxelsHu = new Int16Array(shape.depth * shape.height * shape.width);
  const volume: Volume = { geometry: view.geometry, voxelsHu };
  await drawAnatomy(volume, anatomy, view.chestOrigin, breathe);
  const tree = growVesselTree(anatomy, stageStream(seed, scanIndex, PhantomStage.vessels));
  drawTree(volume, tree, view.chestOrigin, lung.parenchymaHu);
  const places = placesOf(tree, view, lung);
  return {
    name: 'synthetic chest',
    patientId: `synthetic-${seed}-${scanIndex + 1}`,
    volume,
    lung,
    vesselPoints: [...places.vessels, ...places.bifurcations],
    parenchymaHu: lung.parenchymaHu,
    placeLookAlikes: (request) => placeSyntheticLookAlikes(volume, lung, places, request),
    insertNodule: (nodule) => insertNodule(volume, nodule, scannerBlurOf(spacingIrcMm(view.geometry))),
    async finish(breatheBetween) {
      const noise = new ScannerNoise(noiseRandom.uniformBetween(...NOISE_SIGMA_HU), noiseRandom);
      for (let index = 0; index < shape.depth; index++) {
        noise.addToSlice(volume, index);
        await breatheBetween();
      }
    },
  };
}
