import { withTemporaryFolder, workspaceRoot } from '@lunastream/testing';
import { expect, it } from 'vitest';
import { proofTable } from '../src/proof-table.ts';
import { hasPrometheus } from '../src/prometheus-server.ts';
import { prove } from '../src/prove.ts';

it.skipIf(!hasPrometheus())(
  'every query of every dashboard and rule has data in a real Prometheus, and every instrument is documented [needs Debian package prometheus]',
  async () => {
    await withTemporaryFolder(async (folder) => {
      const proof = await prove({ root: workspaceRoot, folder, limitMs: 300_000 });
      const unanswered = proof.queries.filter(({ samples }) => samples.length === 0);
      expect(unanswered.map(({ place, title, signal }) => `${place}: ${title}: ${signal}`)).toEqual([]);
      expect(proof.undocumented).toEqual([]);
      expect(proof.missing).toEqual([]);
      expect(proofTable(proof)).toContain(`${proof.queries.length} of ${proof.queries.length} queries`);
    });
  },
  420_000,
);
