import { describe, expect, it } from 'vitest';
import { VOLUME_FILE_SUFFIXES, volumeNameOf } from './volume-format.ts';

describe('volumeNameOf()', () => {
  it('takes the suffix off the names of scans, whatever dots they have', () => {
    for (const suffix of VOLUME_FILE_SUFFIXES) expect(volumeNameOf(`1.3.6.1${suffix}`)).toBe('1.3.6.1');
  });

  it('knows no other files', () => {
    for (const name of ['scan.raw', 'scan.zraw', 'scan.gz', 'scan', 'nii', 'scan.mhd.tmp']) {
      expect(volumeNameOf(name)).toBeUndefined();
    }
  });
});
