/** Finds the data of a NIfTI volume and checks their length against the header. */
import { inflateStart } from '../inflate.ts';
import { LONGEST_NIFTI_HEADER_BYTES, parseNiftiHeader } from './nifti-header.ts';
import { readStart, type ByteSource, type FileStore } from '../sources/byte-source.ts';
import {
  canonicalHeaderText,
  placeCompressedData,
  placePlainData,
  type StoredVolume,
} from '../stored-volume.ts';

// Deflated, a header of 544 bytes takes less, and a gzip header before it a few hundred bytes at most.
const COMPRESSED_START_BYTES = 4096;

function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** As `locateMetaImage`, for `.nii` and `.nii.gz`. */
export async function locateNifti(
  path: string,
  files: FileStore,
  sources: ByteSource[],
): Promise<StoredVolume> {
  const source = await files.open(path);
  sources.push(source);
  const start = await readStart(source, COMPRESSED_START_BYTES);
  const isCompressed = isGzip(start);
  const headerBytes = isCompressed ? await inflateStart(start, LONGEST_NIFTI_HEADER_BYTES) : start;
  const { geometry, encoding, typeName, voxelsOffsetBytes } = parseNiftiHeader(headerBytes, source.name);
  const claim = { geometry, encoding, sizeField: 'dim', typeField: 'datatype', typeName };
  const range = { source, offsetBytes: 0, sizeBytes: source.sizeBytes };
  const data = isCompressed
    ? placeCompressedData(claim, range, voxelsOffsetBytes)
    : placePlainData(claim, [source], { startBytes: voxelsOffsetBytes, isAtEnd: false });
  return { path, headerText: canonicalHeaderText(claim), geometry, encoding, data, sources };
}
