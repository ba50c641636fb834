import { expect, it } from 'vitest';
import { toldByWeights } from './weights-metadata.ts';

it('toldByWeights() reads what export wrote', () => {
  const metadata = { format: 'pt', labels: 'malignancy', border: 'pad-air', input_normalisation: 'tanh' };
  expect(toldByWeights(metadata)).toEqual({
    labels: 'malignancy',
    border: 'pad-air',
    inputNormalisation: 'tanh',
  });
});

it("toldByWeights() reads the settings of a checkpoint's run, of an earlier version, too", () => {
  const settings = {
    labels: 'malignancy',
    border: 'pad-air',
    learning: { inputNormalisation: 'fixed' },
    seed: 1,
  };
  expect(toldByWeights({ epoch: '3', settings: JSON.stringify(settings) })).toEqual({
    labels: 'malignancy',
    border: 'pad-air',
    inputNormalisation: 'fixed',
  });
  expect(toldByWeights({ settings: '{"seed":1}' })).toEqual({ inputNormalisation: undefined });
});

it.each([
  {},
  { format: 'pt' },
  { labels: 'age', border: '', input_normalisation: 'none' },
  { settings: 'not JSON' },
  { settings: '7' },
  { settings: '{"labels":["nodule"],"learning":5}' },
])('toldByWeights() takes from %j of another program what it knows, and no more', (metadata) => {
  expect(Object.values(toldByWeights(metadata as Record<string, string>)).filter(Boolean)).toEqual([]);
});
