import { describe, expect, it } from 'vitest';
import { stageStream } from './random-stages.ts';
import { ScannerNoise } from './scanner-noise.ts';

describe('ScannerNoise', () => {
  const noise = new ScannerNoise(30, stageStream(7, 0, 4));
  const values: number[] = [];
  const products: number[] = [];
  for (let index = 0; index < 40; index++) {
    for (let row = 0; row < 90; row++) {
      for (let column = 0; column < 90; column++) {
        values.push(noise.at(index, row, column));
        products.push(noise.at(index, row, column) * noise.at(index, row, column + 1));
      }
    }
  }
  const mean = (numbers: number[]) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;

  it('has mean 0 and the standard deviation asked for', () => {
    expect(Math.abs(mean(values))).toBeLessThan(0.5);
    expect(Math.sqrt(mean(values.map((value) => value ** 2)))).toBeCloseTo(30, -0.5);
  });

  it('is correlated with its neighbour, as after reconstruction', () => {
    // (2 s) / (1 + 2 s^2) for the kernel [s, 1, s], s = 0.45.
    expect(mean(products) / 900).toBeCloseTo(0.9 / 1.405, 1);
  });

  it('does not repeat where one of its blocks does', () => {
    const here = Array.from({ length: 20 }, (_, column) => noise.at(0, 0, column));
    const aPeriodOn = Array.from({ length: 20 }, (_, column) => noise.at(0, 0, column + 71));
    expect(aPeriodOn).not.toEqual(here);
  });
});
