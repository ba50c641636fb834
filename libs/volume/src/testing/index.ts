/** Scans in every format that is read, written as small as the formats allow. For tests only. */
export { ctAttributes, EXPLICIT, writeDicom, type Attributes, type DicomFile } from './write-dicom.ts';
export { SCAN_FORMATS, writeScanAs, type ScanFormat } from './write-scan-as.ts';
