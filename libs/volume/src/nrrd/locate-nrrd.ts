/** Finds the data of a NRRD volume and checks their length against the header. */
import { parseNrrdHeader, type NrrdHeader } from './nrrd-header.ts';
import { readStart, type ByteSource, type FileStore } from '../sources/byte-source.ts';
import {
  canonicalHeaderText,
  placeCompressedData,
  placePlainData,
  type Claim,
  type StoredData,
  type StoredVolume,
} from '../stored-volume.ts';

// Headers of Slicer with all DICOM fields in key/value pairs stay far below.
const LONGEST_HEADER_BYTES = 1_048_576;

function place(
  header: NrrdHeader,
  claim: Claim,
  source: ByteSource,
  dataSources: readonly ByteSource[],
): StoredData {
  const attachedBytes = header.dataFiles === undefined ? header.sizeBytes : 0;
  if (!header.isCompressed) {
    const startBytes = attachedBytes + Math.max(0, header.skippedBytes);
    return placePlainData(claim, dataSources, { startBytes, isAtEnd: header.skippedBytes === -1 });
  }
  const [dataSource = source] = dataSources;
  const sizeBytes = dataSource.sizeBytes - attachedBytes;
  const range = { source: dataSource, offsetBytes: attachedBytes, sizeBytes };
  return placeCompressedData(claim, range, header.skippedBytes);
}

/** As `locateMetaImage`, for `.nrrd` and `.nhdr`. */
export async function locateNrrd(
  path: string,
  files: FileStore,
  sources: ByteSource[],
): Promise<StoredVolume> {
  const source = await files.open(path);
  sources.push(source);
  const bytes = Buffer.from((await readStart(source, LONGEST_HEADER_BYTES)).buffer);
  const header = parseNrrdHeader(bytes, source.name);
  const dataSources: ByteSource[] = header.dataFiles === undefined ? [source] : [];
  for (const name of header.dataFiles ?? []) {
    const dataSource = await files.open(files.beside(path, name));
    sources.push(dataSource);
    dataSources.push(dataSource);
  }
  const { geometry, encoding, typeName } = header;
  const claim = { geometry, encoding, sizeField: 'sizes', typeField: 'type', typeName };
  const data = place(header, claim, source, dataSources);
  return { path, headerText: canonicalHeaderText(claim), geometry, encoding, data, sources };
}
