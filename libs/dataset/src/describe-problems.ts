import type { Dataset } from './load-dataset.ts';

/** Why scans and candidates of a data set are left out, a sentence each. Bad scans first: each may be the reason for many candidates. */
export function describeProblems({
  badSeries,
  exclusions,
  dir,
}: Pick<Dataset, 'badSeries' | 'exclusions' | 'dir'>): string[] {
  const outside = exclusions.filter(({ reason }) => reason === 'outside-scan');
  return [
    ...badSeries.map(({ seriesUid, reason }) => `Series ${seriesUid} cannot be used: ${reason.message}`),
    ...outside.map(
      ({ row }) => `${dir}/candidates.csv:${row.line}: the centre lies outside scan ${row.seriesUid}`,
    ),
  ];
}
