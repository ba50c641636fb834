/** Weights that a run starts from instead of drawing them: which they are. Their file lies in the run folder. */
export interface InitialWeights {
  /** SHA-256 of the file, 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  /** The head is drawn from the seed all the same: for another question than the weights were trained for. */
  readonly newHead: boolean;
}

const SHA256 = /^[0-9a-f]{64}$/;

/** A line for what cannot be a file's SHA-256. */
export function initialWeightsFaults(weights: InitialWeights | undefined): string[] {
  if (weights === undefined || SHA256.test(weights.sha256)) return [];
  return [`SHA-256 of the initial weights must be 64 hexadecimal digits, got '${weights.sha256}'`];
}
