/** Finds the data of a MetaImage and checks their length against the header. */
import { BadImageError } from '../errors.ts';
import { parseMetaImageHeader, type MetaImageHeader, type MetaImageOptions } from './metaimage-header.ts';
import { readStart, type ByteSource, type FileStore } from '../sources/byte-source.ts';
import {
  placeCompressedData,
  placePlainData,
  type Claim,
  type StoredData,
  type StoredVolume,
} from '../stored-volume.ts';

// Real headers have less than 1 kB; DICOM fields copied into one make a few. Beyond this the file is something else.
const LONGEST_HEADER_BYTES = 65_536;
// With a LIST the names of some thousand files follow.
const LONGEST_LIST_BYTES = 1_048_576;

async function readHeader(source: ByteSource, options: MetaImageOptions): Promise<MetaImageHeader> {
  const start = Buffer.from((await readStart(source, LONGEST_HEADER_BYTES)).buffer);
  const isCutList =
    source.sizeBytes > start.length && /^ElementDataFile\s*[=:]\s*LIST\b/im.test(start.toString('latin1'));
  const bytes = isCutList ? Buffer.from((await readStart(source, LONGEST_LIST_BYTES)).buffer) : start;
  return parseMetaImageHeader(bytes, source.name, options);
}

function placeCompressed(
  header: MetaImageHeader,
  claim: Claim,
  source: ByteSource,
  offsetBytes: number,
): StoredData {
  const available = Math.max(0, source.sizeBytes - offsetBytes);
  const sizeBytes = header.compressedSizeBytes ?? available;
  if (sizeBytes > available) {
    throw new BadImageError(
      `CompressedDataSize says ${sizeBytes} bytes, got ${available}: the data are truncated`,
      { path: source.name, field: 'CompressedDataSize', part: 'data' },
    );
  }
  return placeCompressedData(claim, { source, offsetBytes, sizeBytes });
}

/**
 * Reads the header at `path` and finds its data, reading none of them. What it opens is added to `sources`.
 * @throws BadImageError when the header is wrong or the data do not have the length it says.
 * @throws MissingImageError when the header or a data file cannot be opened.
 */
export async function locateMetaImage(
  path: string,
  files: FileStore,
  sources: ByteSource[],
  options: MetaImageOptions,
): Promise<StoredVolume> {
  const source = await files.open(path);
  sources.push(source);
  const header = await readHeader(source, options);
  const dataSources: ByteSource[] = header.dataFiles === undefined ? [source] : [];
  for (const name of header.dataFiles ?? []) {
    const dataSource = await files.open(files.beside(path, name));
    sources.push(dataSource);
    dataSources.push(dataSource);
  }
  const { geometry, encoding } = header;
  const claim = {
    geometry,
    encoding,
    sizeField: 'DimSize',
    typeField: 'ElementType',
    typeName: encoding.elementType,
  };
  const startBytes = Math.max(header.skippedBytes, header.dataFiles === undefined ? header.sizeBytes : 0);
  const data = header.isCompressed
    ? placeCompressed(header, claim, dataSources[0] ?? source, startBytes)
    : placePlainData(claim, dataSources, { startBytes, isAtEnd: header.skippedBytes === -1 });
  return { path, headerText: header.text, geometry, encoding, data, sources };
}
