import { expect, it } from 'vitest';
import { ProblemLog } from './problem-log.ts';

it('tells a problem the first, tenth and hundredth time, each kind by itself', () => {
  const told: string[] = [];
  const problems = new ProblemLog((problem, { count }) => told.push(`${problem} ${count}`));
  for (let time = 0; time < 150; time++) problems.note('often');
  problems.note('once', new Error('why'));
  expect(told).toEqual(['often 1', 'often 10', 'often 100', 'once 1']);
});
