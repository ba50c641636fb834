import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { RunState } from '@lunastream/contracts';
import { encodeSafetensors, readWeights } from '@lunastream/engine';
import { withTemporaryFolder } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { FakeTerminal } from '../../test/fake-terminal.ts';
import { FakeTrainer, lineEvent, RUN_ID, scoresEvent, statusEvent } from '../../test/fake-trainer.ts';
import { runCommand } from '../../test/run-command.ts';

const trainOn = (address: string, ...args: readonly string[]) =>
  runCommand(['train', '--trainer', address, ...args]);

describe('train --trainer', () => {
  it('starts a run with the flags as settings and shows it to its end', () => {
    const trainer = new FakeTrainer();
    trainer.events = [
      lineEvent('Epoch 1 of 2, 4/1 batches of size 4*1'),
      scoresEvent(),
      statusEvent(RunState.FINISHED),
    ];
    return trainer.serve(async (address) => {
      const flags = [
        '--dataset',
        'luna',
        '--balanced',
        '--augmented',
        '--epochs',
        '2',
        '--resume',
        'p2ch12/before',
      ];
      const { exitCode, stdout, stderr } = await trainOn(address, ...flags);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout.split('\n')[0]).toBe('09:05:13 INFO     Epoch 1 of 2, 4/1 batches of size 4*1');
      expect(stdout.endsWith(`run folder /runs/${RUN_ID}\n`)).toBe(true);
      expect(trainer.started).toMatchObject([
        {
          dataset: 'luna',
          ratio: 1,
          epochs: 2,
          augmentation: { flip: true, offset: 0.1, scale: 0.2, rotate: true, noiseHu: 25 },
          resumeRunId: 'p2ch12/before',
        },
      ]);
    });
  });

  it('sends weights to start from, without their optimizer, and what of the model trains', () =>
    withTemporaryFolder(async (folder) => {
      const trainer = new FakeTrainer();
      trainer.events = [statusEvent(RunState.FINISHED)];
      const tensor = (name: string) => ({ name, shape: [2], values: Float32Array.of(1, 2) });
      const names = ['block1.conv1.weight', 'head_linear.bias', 'optimizer.momentum.block1.conv1.weight'];
      const path = join(folder, 'weights.safetensors');
      await writeFile(path, encodeSafetensors({ tensors: names.map(tensor), metadata: { epoch: '3' } }));
      await trainer.serve(async (address) => {
        const flags = ['--weights', path, '--finetune-depth', '2'];
        expect(await trainOn(address, ...flags)).toMatchObject({ exitCode: 0, stderr: '' });
        expect(await trainOn(address, ...flags, '--new-head')).toMatchObject({ exitCode: 0, stderr: '' });
      });
      const kept = trainer.startedFrom.map((file) => readWeights(file).map(({ name }) => name));
      expect(kept).toEqual([names.slice(0, 2), names.slice(0, 1)]);
      const sha256 = trainer.startedFrom.map((file) => createHash('sha256').update(file).digest('hex'));
      expect(trainer.started).toMatchObject([
        { learning: { fineTuneDepth: 2 }, initialWeights: { sha256: sha256[0], newHead: false } },
        { learning: { fineTuneDepth: 2 }, initialWeights: { sha256: sha256[1], newHead: true } },
      ]);
    }));

  it.each([
    [['--weights', '/nowhere/w.safetensors'], 'there is no /nowhere/w.safetensors'],
    [['--weights', import.meta.filename], `Cannot use ${import.meta.filename}: `],
    [['--weights', 'x', '--resume', 'p/r'], "option '--weights <file>' cannot be used with option '--resume"],
    [['--new-head'], 'Cannot take a new head: name the weights of the rest with --weights'],
    [['--finetune-depth', '7'], 'It must be a whole number in 1..6.'],
  ])('refuses %j before it asks a trainer', async (flags, message) => {
    const { exitCode, stderr } = await trainOn('127.0.0.1:1', ...flags);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
  });

  it.each([
    [RunState.FAILED, 1],
    [RunState.STOPPED, 130],
  ])('ends with the code of the run’s end: state %i, code %i', (state, exitCode) => {
    const trainer = new FakeTrainer();
    trainer.events = [statusEvent(state, 'it broke')];
    return trainer.serve(async (address) => {
      expect(await trainOn(address, '--quiet')).toMatchObject({ exitCode });
    });
  });

  it.each([
    [status.INVALID_ARGUMENT, 2, 'Cannot start a run: comment must be 1..100 letters'],
    [status.FAILED_PRECONDITION, 2, 'Cannot split candidates: got 0; /d/candidates.csv:2: outside'],
    [status.RESOURCE_EXHAUSTED, 1, 'Cannot start a run: this trainer is busy'],
    [status.UNAVAILABLE, 1, 'the chunk cache does not answer: no route'],
  ])('says in one sentence what refuses a run: status %i gives code %i', (code, exitCode, details) => {
    const trainer = new FakeTrainer();
    trainer.refusal = { code, details };
    return trainer.serve(async (address) => {
      expect(await trainOn(address)).toEqual({ exitCode, stdout: '', stderr: `lunastream: ${details}\n` });
    });
  });

  it('stops the run on Ctrl-C and shows how it stood', () => {
    const trainer = new FakeTrainer();
    trainer.runsUntilStopped = true;
    trainer.events = [lineEvent('E1 Training ----/4, starting'), scoresEvent()];
    return trainer.serve(async (address) => {
      const interruption = new AbortController();
      const terminal = new FakeTerminal();
      const interrupted = interruption.signal;
      const training = runCommand(['train', '--trainer', address], { terminal, interrupted });
      await expect.poll(() => terminal.stdout).toContain('E1 Training');
      interruption.abort();
      const { exitCode, stdout, stderr } = await training;
      expect({ exitCode, stderr }).toEqual({ exitCode: 130, stderr: '' });
      expect(trainer.stopped).toEqual([RUN_ID]);
      expect(stdout).toContain('\nrun stopped\n');
      expect(stdout).toContain('E1 val   3   1   0  40');
    });
  });

  it('says that nobody is there', async () => {
    const { exitCode, stderr } = await trainOn('127.0.0.1:1');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^lunastream: Cannot reach a trainer at 127\.0\.0\.1:1: .*\n$/);
  });
});

describe('train --resume', () => {
  it('refuses a folder that is no run before anything is started', () =>
    withTemporaryFolder(async (folder) => {
      const data = join(folder, 'data');
      await mkdir(data);
      await writeFile(join(data, 'candidates.csv'), '');
      const outcome = await runCommand(['train', '--data', data, '--resume', folder]);
      expect(outcome).toEqual({
        exitCode: 2,
        stdout: '',
        stderr: `lunastream: Cannot resume ${folder}: it must be a run folder, got one without run.json\n`,
      });
    }));
});
