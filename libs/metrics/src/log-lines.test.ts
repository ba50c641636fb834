import { describe, expect, it } from 'vitest';
import { summarizeEpoch, type Split } from './epoch-summary.ts';
import { epochLogLines, epochStartLine, taskStartLine } from './log-lines.ts';

interface PrintedClass {
  readonly correct: number;
  readonly count: number;
  readonly loss: number;
}

/** An epoch with the counts and class losses that the book printed. */
function bookEpoch(epoch: number, split: Split, negative: PrintedClass, positive: PrintedClass) {
  const labels: number[] = [];
  const probabilities: number[] = [];
  const losses: number[] = [];
  for (const [label, { correct, count, loss }] of [negative, positive].entries()) {
    for (let sample = 0; sample < count; sample++) {
      labels.push(label);
      probabilities.push(sample < correct === (label === 1) ? 0.9 : 0.1);
      losses.push(loss);
    }
  }
  return summarizeEpoch({ epoch, split, labels, probabilities, losses, threshold: 0.5 });
}

describe('epochLogLines()', () => {
  // Chapter 12.4.2, --balanced, epochs 1 and 20; the negative loss follows from the printed overall loss.
  it("prints the book's epoch 1 of the balanced run", () => {
    const summary = bookEpoch(
      1,
      'val',
      { correct: 54099, count: 54971, loss: 0.05418 },
      { correct: 108, count: 136, loss: 0.9549 },
    );
    expect(epochLogLines(summary)).toEqual([
      'E1 val      0.0564 loss,  98.4% correct, 0.1102 precision, 0.7941 recall, 0.1935 f1 score',
      'E1 val_neg  0.0542 loss,  98.4% correct (54099 of 54971)',
      'E1 val_pos  0.9549 loss,  79.4% correct (108 of 136)',
    ]);
  });

  it("prints the book's epoch 20", () => {
    const summary = bookEpoch(
      20,
      'val',
      { correct: 54864, count: 54971, loss: 0.01333 },
      { correct: 98, count: 136, loss: 2.7101 },
    );
    expect(epochLogLines(summary)).toEqual([
      'E20 val      0.0200 loss,  99.7% correct, 0.4780 precision, 0.7206 recall, 0.5748 f1 score',
      'E20 val_neg  0.0133 loss,  99.8% correct (54864 of 54971)',
      'E20 val_pos  2.7101 loss,  72.1% correct (98 of 136)',
    ]);
  });

  it('prints the unbalanced model that finds nothing: nan precision as in the book, F1 0 where it has nan', () => {
    const summary = bookEpoch(
      1,
      'val',
      { correct: 54971, count: 54971, loss: 0.0026 },
      { correct: 0, count: 136, loss: 5.9577 },
    );
    expect(epochLogLines(summary)).toEqual([
      'E1 val      0.0173 loss,  99.8% correct, nan precision, 0.0000 recall, 0.0000 f1 score',
      'E1 val_neg  0.0026 loss, 100.0% correct (54971 of 54971)',
      'E1 val_pos  5.9577 loss,   0.0% correct (0 of 136)',
    ]);
  });

  it('rounds ties to even, as Python does', () => {
    const summary = bookEpoch(
      2,
      'trn',
      { correct: 9, count: 16, loss: 0.03125 },
      { correct: 1, count: 32, loss: 0.03125 },
    );
    const [all, negatives, positives] = epochLogLines(summary);
    expect(all).toMatch(/^E2 trn {6}0\.0312 loss, .* 0\.0312 recall, /);
    expect(negatives).toBe('E2 trn_neg  0.0312 loss,  56.2% correct (9 of 16)');
    expect(positives).toBe('E2 trn_pos  0.0312 loss,   3.1% correct (1 of 32)');
  });

  it('prints nan for an absent class', () => {
    const summary = bookEpoch(
      1,
      'trn',
      { correct: 2, count: 2, loss: 0.5 },
      { correct: 0, count: 0, loss: 0 },
    );
    expect(epochLogLines(summary)[2]).toBe('E1 trn_pos  nan loss,   nan% correct (0 of 0)');
  });
});

describe('epochStartLine()', () => {
  it('has the form of the chapter', () => {
    const start = {
      epoch: 1,
      epochs: 20,
      trainingBatches: 6250,
      validationBatches: 1723,
      batchSize: 32,
      devices: 1,
    };
    expect(epochStartLine(start)).toBe('Epoch 1 of 20, 6250/1723 batches of size 32*1');
  });
});

describe('taskStartLine()', () => {
  it('has the form of the chapter', () => {
    expect(taskStartLine(20)).toBe('E20 LunaTrainingApp');
  });
});
