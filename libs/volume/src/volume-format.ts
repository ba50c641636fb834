/** Which format a file has: by its name, as no header says it before it is read. */
export type FileFormat = 'metaimage' | 'nrrd' | 'nifti';

// The longest suffix comes first: `.nii.gz` is no `.gz`.
const FORMAT_OF_SUFFIX: readonly (readonly [suffix: string, format: FileFormat])[] = [
  ['.nii.gz', 'nifti'],
  ['.nii', 'nifti'],
  ['.mhd', 'metaimage'],
  ['.mha', 'metaimage'],
  ['.nrrd', 'nrrd'],
  ['.nhdr', 'nrrd'],
];

/** Endings of the files that `openVolume` reads. A folder that holds a DICOM series is read too. */
export const VOLUME_FILE_SUFFIXES: readonly string[] = FORMAT_OF_SUFFIX.map(([suffix]) => suffix);

/** The format that a file's name or address claims, with the suffix that says so. */
export function formatOfName(
  name: string,
): { readonly format: FileFormat; readonly suffix: string } | undefined {
  const [suffix, format] = FORMAT_OF_SUFFIX.find(([ending]) => name.endsWith(ending)) ?? [];
  return suffix === undefined || format === undefined ? undefined : { format, suffix };
}

/** The name of the scan in a file's name: `1.3.6` of `1.3.6.nii.gz`; undefined where `openVolume` reads no such file. */
export function volumeNameOf(fileName: string): string | undefined {
  const suffix = formatOfName(fileName)?.suffix;
  return suffix === undefined ? undefined : fileName.slice(0, -suffix.length);
}
