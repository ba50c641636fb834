/** The CSV files of a data set, as text in LUNA16's form, row by row. */
import type { Vector } from './geometry/vector.ts';

// A millionth of a millimetre; LUNA16's own tables have about as many digits.
const DECIMALS = 6;

function row(seriesUid: string, position: Vector, last: string): string {
  return [seriesUid, ...position.map((value) => value.toFixed(DECIMALS)), last].join(',');
}

export class LunaTables {
  readonly #annotations = ['seriesuid,coordX,coordY,coordZ,diameter_mm'];
  readonly #candidates = ['seriesuid,coordX,coordY,coordZ,class'];
  readonly #patients = ['seriesuid,patient_id'];
  readonly #malignancy = ['seriesuid,coordX,coordY,coordZ,diameter_mm,mal_bool'];
  readonly #hasMalignancy: boolean;

  constructor({ hasMalignancy }: { readonly hasMalignancy: boolean }) {
    this.#hasMalignancy = hasMalignancy;
  }

  addPatient(seriesUid: string, patientId: string): void {
    this.#patients.push(`${seriesUid},${patientId}`);
  }

  addAnnotation(
    seriesUid: string,
    centreXyzMm: Vector,
    { diameterMm, isMalignant }: { readonly diameterMm: number; readonly isMalignant: boolean },
  ): void {
    const diameter = diameterMm.toFixed(DECIMALS);
    this.#annotations.push(row(seriesUid, centreXyzMm, diameter));
    this.#malignancy.push(row(seriesUid, centreXyzMm, `${diameter},${isMalignant ? 'True' : 'False'}`));
  }

  addCandidate(seriesUid: string, centreXyzMm: Vector, label: 0 | 1): void {
    this.#candidates.push(row(seriesUid, centreXyzMm, String(label)));
  }

  /** File name and content of each table. */
  files(): readonly (readonly [name: string, text: string])[] {
    const text = (lines: readonly string[]) => `${lines.join('\n')}\n`;
    return [
      ['annotations.csv', text(this.#annotations)],
      ['candidates.csv', text(this.#candidates)],
      ['patients.csv', text(this.#patients)],
      ...(this.#hasMalignancy ? [['annotations_with_malignancy.csv', text(this.#malignancy)] as const] : []),
    ];
  }
}
