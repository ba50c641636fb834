type Row = readonly [number, number, number];

/**
 * The eigenvalues of a symmetric 3x3 matrix, ascending: the trigonometric solution of its characteristic polynomial
 * (O. K. Smith, "Eigenvalues of a symmetric 3 x 3 matrix", Communications of the ACM 4 (1961) 168).
 */
export function symmetricEigenvalues(matrix: readonly [Row, Row, Row]): [number, number, number] {
  const [[a, d, e], [, b, f], [, , c]] = matrix;
  const mean = (a + b + c) / 3;
  const spread = Math.sqrt(
    ((a - mean) ** 2 + (b - mean) ** 2 + (c - mean) ** 2 + 2 * (d * d + e * e + f * f)) / 6,
  );
  if (spread === 0) return [mean, mean, mean];
  const [p, q, r] = [(a - mean) / spread, (b - mean) / spread, (c - mean) / spread];
  const [u, v, w] = [d / spread, e / spread, f / spread];
  const halfDeterminant = (p * (q * r - w * w) - u * (u * r - w * v) + v * (u * w - q * v)) / 2;
  const angle = Math.acos(Math.min(1, Math.max(-1, halfDeterminant))) / 3;
  const high = mean + 2 * spread * Math.cos(angle);
  const low = mean + 2 * spread * Math.cos(angle + (2 * Math.PI) / 3);
  return [low, 3 * mean - low - high, high];
}
