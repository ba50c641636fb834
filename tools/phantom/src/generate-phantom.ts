import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { RandomStream } from '@lunastream/random';
import { containsIrc, writeMetaImage, xyzMm, xyzToIrc, type VolumeGeometry } from '@lunastream/volume';
import { PhantomCapacityError } from './errors.ts';
import type { KeepOut, LookAlike } from './look-alikes.ts';
import { LunaTables } from './luna-tables.ts';
import {
  countByKind,
  MANIFEST_FILE,
  manifestText,
  noduleRecord,
  PHANTOM_VERSION,
  phantomSeriesUid,
  type PhantomManifest,
  type SeriesRecord,
} from './phantom-manifest.ts';
import type { Surface } from './nodules/nodule-shape.ts';
import { placeNodules, type PlacedNodule } from './nodules/place-nodules.ts';
import { PhantomStage, stageStream } from './random-stages.ts';
import {
  REAL_ATTRIBUTION,
  REAL_LICENCE_FILES,
  RealBackgrounds,
  realScanFolder,
} from './real/real-background.ts';
import type { ScanBackground } from './scan-background.ts';
import {
  compilePhantomSettings,
  DEFAULT_SYNTHETIC_SHAPE,
  type PhantomSettings,
  type RawPhantomSettings,
} from './settings.ts';
import { makeSyntheticBackground } from './synthetic/synthetic-chest.ts';
import { findExisting, writeWhole } from './target-folder.ts';
import type { Vector } from './geometry/vector.ts';

export interface PhantomProgress {
  /** Scans written so far. */
  readonly scansDone: number;
  readonly scanCount: number;
  /** Of the scan just written. */
  readonly seriesUid: string;
}

export interface GeneratePhantomOptions extends RawPhantomSettings {
  readonly outDir: string;
  /** Ends the work within a slice or two; the folder then is as it was before. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each scan. An error it throws ends the work. */
  readonly onProgress?: ((progress: PhantomProgress) => void) | undefined;
}

export interface PhantomReport {
  /** Absolute. */
  readonly outDir: string;
  /** The folder already held this data set, and nothing was written. */
  readonly reused: boolean;
  readonly settings: PhantomSettings;
  readonly series: readonly SeriesRecord[];
  readonly positiveCount: number;
  readonly negativeCount: number;
  readonly patientCount: number;
}

// Negatives keep this far from the surface of a nodule, so that none shows a nodule at its middle.
const CLEARANCE_MM = 5;
// LUNA16's detectors hit a nodule near its middle, not on it; a candidate belongs to a nodule within a quarter of the
// diameter along each axis, and this stays well inside.
const POSITIVE_JITTER_OF_DIAMETER = 0.1;
const NEGATIVE_JITTER_MM = 1;

type Breathe = () => Promise<void>;

/** `centre` moved by up to `reachMm` along each axis, unless that leaves the scan. */
function jittered(centre: Vector, reachMm: number, geometry: VolumeGeometry, random: RandomStream): Vector {
  const [x, y, z] = centre.map((value) => value + random.uniformBetween(-reachMm, reachMm)) as [
    number,
    number,
    number,
  ];
  return containsIrc(geometry.shape, xyzToIrc(geometry, xyzMm(x, y, z))) ? [x, y, z] : centre;
}

interface ScanContent {
  readonly nodules: readonly PlacedNodule[];
  readonly lookAlikes: readonly LookAlike[];
}

/** Puts nodules and look-alikes into the scan, by count. */
function populate(
  background: ScanBackground,
  settings: PhantomSettings,
  scan: { readonly index: number; readonly seriesUid: string },
): ScanContent {
  const { nodulesPerScan, negativesPerNodule, seed } = settings;
  const { lung, vesselPoints, parenchymaHu } = background;
  const nodules = placeNodules(
    { geometry: background.volume.geometry, lung, vesselPoints, parenchymaHu },
    nodulesPerScan,
    stageStream(seed, scan.index, PhantomStage.nodules),
  );
  if (nodules.length < nodulesPerScan) {
    const count = { wanted: nodulesPerScan, placed: nodules.length };
    throw new PhantomCapacityError('nodules', scan.seriesUid, count);
  }
  const keepOut: KeepOut[] = nodules.map(({ centre, shape }) => ({
    centre,
    radiusMm: shape.maxRadiusMm + CLEARANCE_MM,
  }));
  const wanted = nodulesPerScan * negativesPerNodule;
  const random = stageStream(seed, scan.index, PhantomStage.lookAlikes);
  const lookAlikes = background.placeLookAlikes({ count: wanted, keepOut, random });
  if (lookAlikes.length < wanted) {
    throw new PhantomCapacityError('negatives', scan.seriesUid, { wanted, placed: lookAlikes.length });
  }
  for (const nodule of nodules) background.insertNodule(nodule);
  return { nodules, lookAlikes };
}

/**
 * Simulated nodules have no pathology: spiculated ones count as malignant, because spiculation is the outline's strongest sign
 * of it (McWilliams et al., NEJM 2013).
 */
const isMalignantSurface = (surface: Surface) => surface === 'spiculated';

function addRows(
  tables: LunaTables,
  scan: { readonly seriesUid: string; readonly background: ScanBackground },
  content: ScanContent,
  random: RandomStream,
): void {
  const { seriesUid, background } = scan;
  const { geometry } = background.volume;
  tables.addPatient(seriesUid, background.patientId);
  for (const { centre, shape } of content.nodules) {
    const isMalignant = isMalignantSurface(shape.surface);
    tables.addAnnotation(seriesUid, centre, { diameterMm: shape.diameterMm, isMalignant });
    const reachMm = POSITIVE_JITTER_OF_DIAMETER * shape.diameterMm;
    tables.addCandidate(seriesUid, jittered(centre, reachMm, geometry, random), 1);
  }
  for (const { centre } of content.lookAlikes) {
    tables.addCandidate(seriesUid, jittered(centre, NEGATIVE_JITTER_MM, geometry, random), 0);
  }
}

class DataSetWriter {
  readonly #folder: string;
  readonly #settings: PhantomSettings;
  readonly #breathe: Breathe;
  readonly #tables: LunaTables;
  readonly #realBackgrounds = new RealBackgrounds(realScanFolder());
  readonly #series: SeriesRecord[] = [];

  constructor(folder: string, settings: PhantomSettings, breathe: Breathe) {
    this.#folder = folder;
    this.#settings = settings;
    this.#breathe = breathe;
    this.#tables = new LunaTables({ hasMalignancy: settings.malignancy === true });
  }

  async writeScan(index: number): Promise<SeriesRecord> {
    const { seed } = this.#settings;
    const seriesUid = phantomSeriesUid(this.#settings, index);
    const background = await this.#background(index);
    await this.#breathe();
    const content = populate(background, this.#settings, { index, seriesUid });
    await background.finish(this.#breathe);
    const jitterRandom = stageStream(seed, index, PhantomStage.candidates);
    addRows(this.#tables, { seriesUid, background }, content, jitterRandom);
    const subset = join(this.#folder, 'subset0');
    await mkdir(subset, { recursive: true });
    await writeMetaImage(join(subset, `${seriesUid}.mhd`), background.volume);
    const record = {
      seriesUid,
      patientId: background.patientId,
      background: background.name,
      parenchymaHu: background.parenchymaHu,
      nodules: content.nodules.map((nodule) => noduleRecord(nodule, background.parenchymaHu)),
      lookAlikes: countByKind(content.lookAlikes),
    };
    this.#series.push(record);
    return record;
  }

  /** Tables, manifest, README and licences: after the last scan. */
  async close(): Promise<PhantomManifest> {
    const settings = this.#settings;
    const manifest = { version: PHANTOM_VERSION, settings, series: this.#series };
    for (const [name, text] of this.#tables.files()) await writeFile(join(this.#folder, name), text);
    await writeFile(join(this.#folder, MANIFEST_FILE), manifestText(manifest));
    await writeFile(join(this.#folder, 'README.txt'), readmeText(settings));
    if (settings.background === 'real') {
      for (const name of REAL_LICENCE_FILES) {
        await copyFile(join(realScanFolder(), name), join(this.#folder, name));
      }
    }
    return manifest;
  }

  #background(index: number): Promise<ScanBackground> {
    const { seed, background, shape = DEFAULT_SYNTHETIC_SHAPE } = this.#settings;
    return background === 'real'
      ? this.#realBackgrounds.at(index, stageStream(seed, index, PhantomStage.noise))
      : makeSyntheticBackground({ seed, scanIndex: index, shape }, this.#breathe);
  }
}

function readmeText(settings: PhantomSettings): string {
  const origin =
    settings.background === 'real'
      ? ['The lungs are real CTs, the nodules simulated:', ...REAL_ATTRIBUTION, 'Licences: see LICENSE.*']
      : ['Lungs and nodules are simulated.'];
  return [
    `Made by 'lunastream data phantom', version ${PHANTOM_VERSION}, in the layout of LUNA16. Not for clinical use.`,
    ...origin,
    'phantom.json states the settings and every nodule; equal settings give equal files.',
    'patients.csv says which series show the same patient: keep them on one side of a split.',
    '',
  ].join('\n');
}

function reportOf(outDir: string, reused: boolean, manifest: PhantomManifest): PhantomReport {
  const { settings, series } = manifest;
  const positiveCount = series.reduce((sum, { nodules }) => sum + nodules.length, 0);
  return {
    outDir: resolve(outDir),
    reused,
    settings,
    series,
    positiveCount,
    negativeCount: positiveCount * settings.negativesPerNodule,
    patientCount: new Set(series.map(({ patientId }) => patientId)).size,
  };
}

/**
 * Writes a data set in LUNA16 layout, with simulated nodules in synthetic or real lungs, into `outDir`: the folder
 * appears whole at the end, or not at all. Equal settings give equal bytes. When `outDir` already holds the data set of
 * these settings it is left as it is and reported with `reused: true`.
 * @throws PhantomSettingsError for bad settings, PhantomTargetError when `outDir` holds something else,
 * PhantomCapacityError when a lung has no room, PhantomBackgroundError when a shipped CT is missing, and the signal's
 * reason when it is aborted.
 */
export async function generatePhantom(options: GeneratePhantomOptions): Promise<PhantomReport> {
  const { outDir, signal, onProgress } = options;
  const settings = compilePhantomSettings(options);
  signal?.throwIfAborted();
  const existing = await findExisting(outDir, settings);
  if (existing !== undefined) return reportOf(outDir, true, existing);
  const breathe = async () => {
    await setImmediate();
    signal?.throwIfAborted();
  };
  const manifest = await writeWhole(outDir, async (folder) => {
    const writer = new DataSetWriter(folder, settings, breathe);
    const { scanCount } = settings;
    for (let index = 0; index < scanCount; index++) {
      const { seriesUid } = await writer.writeScan(index);
      await breathe();
      onProgress?.({ scansDone: index + 1, scanCount, seriesUid });
    }
    const written = await writer.close();
    await breathe();
    return written;
  });
  return reportOf(outDir, false, manifest);
}
