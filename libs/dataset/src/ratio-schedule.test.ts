import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RatioScheduleError } from './errors.ts';
import { compileRatioSchedule } from './ratio-schedule.ts';

const ratios = (text: string, epochs = 6) => {
  const schedule = compileRatioSchedule(text);
  return Array.from({ length: epochs }, (_, index) => schedule.ratioAt(index + 1));
};

describe('compileRatioSchedule()', () => {
  it.each([
    ['3', [3, 3, 3, 3, 3, 3]],
    ['1,1,4', [1, 1, 4, 4, 4, 4]],
    [' 2 , 0 ', [2, 0, 0, 0, 0, 0]],
    ['epoch<5 ? 1 : 4', [1, 1, 1, 1, 4, 4]],
    ['epoch', [1, 2, 3, 4, 5, 6]],
    ['1 + 2 * epoch', [3, 5, 7, 9, 11, 13]],
    ['(1 + 2) * epoch % 4', [3, 2, 1, 0, 3, 2]],
    ['10 - epoch - 1', [8, 7, 6, 5, 4, 3]],
    ['min(4, epoch)', [1, 2, 3, 4, 4, 4]],
    ['max(1, 3, epoch)', [3, 3, 3, 4, 5, 6]],
    ['floor(epoch / 2)', [0, 1, 1, 2, 2, 3]],
    ['ceil(epoch / 2)', [1, 1, 2, 2, 3, 3]],
    ['round(epoch * 1.5)', [2, 3, 5, 6, 8, 9]],
    ['epoch < 3 ? 1 : epoch < 5 ? 2 : 3', [1, 1, 2, 2, 3, 3]],
    ['epoch >= 2 && epoch <= 3 || epoch == 6', [0, 1, 1, 0, 0, 1]],
    ['!(epoch != 4) ? 9 : 2', [2, 2, 2, 9, 2, 2]],
    ['epoch > 3', [0, 0, 0, 1, 1, 1]],
    ['- -epoch', [1, 2, 3, 4, 5, 6]],
    ['-0 * epoch', [0, 0, 0, 0, 0, 0]],
  ])('%s gives %j', (text, expected) => {
    expect(ratios(text)).toEqual(expected);
  });

  it.each([
    ['', "column 1 must be a number, epoch, a function (min, max, floor, ceil, round) or '(', got its end"],
    ['epoch <', 'column 8 must be'],
    ['epoch ? 1', "column 10 must be ':', got its end"],
    ['1 2', 'column 3 must be the end, got 2'],
    ['1,', "schedule '1,': entry 2 of the list must be a whole number in 0..1000000, got nothing"],
    ['1,,2', "schedule '1,,2': entry 2 of the list must be a whole number in 0..1000000, got nothing"],
    [', 1', 'entry 1 of the list must be a whole number in 0..1000000, got nothing'],
    ['1, -2', 'entry 2 of the list must be a whole number in 0..1000000, got -2'],
    ['1,1.5', 'entry 2 of the list must be a whole number in 0..1000000, got 1.5'],
    ['1,two', 'entry 2 of the list must be a whole number in 0..1000000, got two'],
    ['1,2 3', 'entry 2 of the list must be a whole number in 0..1000000, got 2 3'],
    ['1,1000001', 'entry 2 of the list must be a whole number in 0..1000000, got 1000001'],
    ['max(1, 2), 3', 'entry 1 of the list must be a whole number in 0..1000000, got max(1'],
    ['1 < epoch < 5', 'column 11 must be the end, got <'],
    ['(epoch', "column 7 must be ')', got its end"],
    ['epochs', 'column 1 must be epoch or one of min, max, floor, ceil, round, got epochs'],
    ['floor(1, 2)', "column 8 must be ')', got ,"],
    ['constructor', 'column 1 must be epoch or one of'],
    ['epoch.x', 'column 6 must be a number, a name or an operator, got .'],
    ['epoch = 3', 'column 7 must be a number, a name or an operator, got ='],
    ['process.exit(1)', 'column 8 must be'],
    ['`x`', 'column 1 must be'],
    ['1'.repeat(501), 'it may have 500 characters, got 501'],
  ])('refuses %j', (text, rule) => {
    expect(() => compileRatioSchedule(text)).toThrow(RatioScheduleError);
    expect(() => compileRatioSchedule(text)).toThrow(rule);
  });

  it.each([
    ['epoch / 2', 1, 'got 0.5'],
    ['1 - epoch', 3, 'got -2'],
    ['1 / (epoch - 1)', 1, 'got Infinity'],
    ['0 / 0', 1, 'got NaN'],
    ['1000001', 1, 'got 1000001'],
  ])('%s names the epoch in which it gives no ratio', (text, epoch, got) => {
    expect(() => compileRatioSchedule(text).ratioAt(epoch)).toThrow(
      `it must give a whole number in 0..1000000 in epoch ${epoch}, ${got}`,
    );
  });

  it('either refuses a text or gives whole ratios, whatever was typed', () => {
    const fragment = fc.constantFrom(
      'epoch',
      '1',
      '2.5',
      '<',
      '>=',
      '?',
      ':',
      '(',
      ')',
      '-',
      '!',
      'min',
      ',',
      ' ',
      '&&',
      '%',
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 30 }), (fragments) => {
        try {
          const ratio = compileRatioSchedule(fragments.join('')).ratioAt(3);
          expect(Number.isInteger(ratio) && ratio >= 0).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(RatioScheduleError);
        }
      }),
    );
  });
});
