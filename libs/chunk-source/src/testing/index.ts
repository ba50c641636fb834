/** Small data sets on disk, for tests of what cuts and serves chunks. */
export { candidateRow, centerOf, layOutScans, makeScan, SCAN_SHAPE, writeScan } from './lay-out-scans.ts';
