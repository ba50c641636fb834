import type { XyzMm } from '@lunastream/volume';
import type { Annotation } from './read-annotations.ts';

/** The diameter in mm of the nodule that a place belongs to, 0 for none. */
export type DiameterMatcher = (seriesUid: string, centerXyzMm: XyzMm) => number;

function isNear(annotation: Annotation, centerXyzMm: XyzMm): boolean {
  const limit = annotation.diameterMm / 4;
  return annotation.centerXyzMm.every(
    (coordinate, axis) => Math.abs(coordinate - centerXyzMm[axis]!) <= limit,
  );
}

/**
 * Makes the book's matcher (chapter12-facts 1.1): the first annotation of the series, in file order, that is within a
 * quarter of its diameter on each axis (a box test; equality passes); undefined for none. The label is not asked.
 */
export function createAnnotationMatcher<Kind extends Annotation>(
  annotations: readonly Kind[],
): (seriesUid: string, centerXyzMm: XyzMm) => Kind | undefined {
  const ofSeries = new Map<string, Kind[]>();
  for (const annotation of annotations) {
    const known = ofSeries.get(annotation.seriesUid);
    if (known === undefined) ofSeries.set(annotation.seriesUid, [annotation]);
    else known.push(annotation);
  }
  return (seriesUid, centerXyzMm) =>
    ofSeries.get(seriesUid)?.find((annotation) => isNear(annotation, centerXyzMm));
}

/** Gives the diameter of the annotation that matches. A negative near a nodule gets a diameter too, as in the book. */
export function createDiameterMatcher(annotations: readonly Annotation[]): DiameterMatcher {
  const match = createAnnotationMatcher(annotations);
  return (seriesUid, centerXyzMm) => match(seriesUid, centerXyzMm)?.diameterMm ?? 0;
}
