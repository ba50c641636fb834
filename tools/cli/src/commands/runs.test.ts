import { status } from '@grpc/grpc-js';
import { RunState } from '@lunastream/contracts';
import { describe, expect, it } from 'vitest';
import { FakeTerminal } from '../../test/fake-terminal.ts';
import {
  FakeTrainer,
  lineEvent,
  RUN_ID,
  runOf,
  SCORES,
  scoresEvent,
  statusEvent,
} from '../../test/fake-trainer.ts';
import { runCommand } from '../../test/run-command.ts';

/** Port 1 is reserved: nobody listens there. */
const NOBODY = '127.0.0.1:1';

describe('runs', () => {
  it('lists runs with the last validation of each', () => {
    const trainer = new FakeTrainer();
    const second = { ...SCORES, epoch: 2, recall: 0.5, precision: undefined, f1: undefined };
    trainer.runs = [
      runOf({ state: RunState.RUNNING, scores: [SCORES, { ...second, split: 'trn' }, second] }),
      runOf({ runId: 'p2ch12/2026-11-22_09.05.13-dlwpt', state: RunState.FAILED, scores: [] }),
    ];
    return trainer.serve(async (address) => {
      const outcome = await runCommand([
        'runs',
        '--trainer',
        address,
        '--tb-prefix',
        'p2ch12',
        '--limit',
        '5',
      ]);
      expect(outcome).toEqual({
        exitCode: 0,
        stdout: [
          'run                               state    epochs  val recall  val precision  val F1',
          'p2ch12/2026-11-23_09.05.13-dlwpt  running       2      0.5000              -       -',
          'p2ch12/2026-11-22_09.05.13-dlwpt  failed        0           -              -       -',
          '',
        ].join('\n'),
        stderr: '',
      });
      expect(trainer.listed).toEqual([{ tbPrefix: 'p2ch12', limit: 5 }]);
    });
  });

  it('writes a line of JSON per run', () => {
    const trainer = new FakeTrainer();
    trainer.runs = [runOf(), runOf({ runId: 'other/x' })];
    return trainer.serve(async (address) => {
      const { stdout } = await runCommand(['runs', '--trainer', address, '--json']);
      const lines = stdout.trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
        { runId: RUN_ID, state: 'finished', bestEpoch: 1, scores: [{ split: 'trn' }, { split: 'val' }] },
        { runId: 'other/x', state: 'finished' },
      ]);
    });
  });
});

describe('watch', () => {
  it.each([
    [RunState.FINISHED, 0],
    [RunState.FAILED, 1],
    [RunState.STOPPED, 130],
  ])('shows a run to its end: state %i gives exit code %i', (state, exitCode) => {
    const trainer = new FakeTrainer();
    trainer.runs = [runOf()];
    trainer.events = [lineEvent('E1 LunaTrainingApp'), scoresEvent(), statusEvent(state, 'it broke')];
    return trainer.serve(async (address) => {
      const outcome = await runCommand(['watch', RUN_ID, '--trainer', address]);
      expect(outcome.exitCode).toBe(exitCode);
      expect(outcome.stderr).toBe('');
      expect(outcome.stdout).toMatch(/^09:05:13 INFO {5}E1 LunaTrainingApp\n/);
      expect(outcome.stdout).toContain('E1 val   3   1   0  40');
      expect(outcome.stdout.endsWith(`run folder /runs/${RUN_ID}\n`)).toBe(true);
    });
  });

  it('shows only the closing table when quiet, lines of JSON when asked', () => {
    const trainer = new FakeTrainer();
    trainer.runs = [runOf()];
    trainer.events = [lineEvent('E1 LunaTrainingApp'), scoresEvent(), statusEvent(RunState.FINISHED)];
    return trainer.serve(async (address) => {
      const quiet = await runCommand(['watch', RUN_ID, '--trainer', address, '--quiet']);
      expect(quiet.stdout).not.toContain('LunaTrainingApp');
      expect(quiet.stdout).toContain('best epoch 1');
      const json = await runCommand(['watch', RUN_ID, '--trainer', address, '--json']);
      const events = json.stdout.trimEnd().split('\n');
      expect(events.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual([
        'logLine',
        'scores',
        'status',
        'closed',
      ]);
    });
  });

  it('ends when it is interrupted, and the run goes on', () => {
    const trainer = new FakeTrainer();
    trainer.runs = [runOf({ state: RunState.RUNNING })];
    trainer.runsUntilStopped = true;
    trainer.events = [lineEvent('E1 Training ----/4, starting')];
    return trainer.serve(async (address) => {
      const interruption = new AbortController();
      const terminal = new FakeTerminal();
      const interrupted = interruption.signal;
      const watching = runCommand(['watch', RUN_ID, '--trainer', address], { terminal, interrupted });
      await expect.poll(() => terminal.stdout).toContain('E1 Training');
      interruption.abort();
      expect(await watching).toMatchObject({ exitCode: 0, stderr: '' });
      expect(trainer.stopped).toEqual([]);
    });
  });
});

describe('stop', () => {
  it('stops a run and says how it ended', () => {
    const trainer = new FakeTrainer();
    return trainer.serve(async (address) => {
      expect(await runCommand(['stop', RUN_ID, '--trainer', address])).toEqual({
        exitCode: 0,
        stdout: `run ${RUN_ID} stopped\n`,
        stderr: '',
      });
      expect(trainer.stopped).toEqual([RUN_ID]);
    });
  });
});

describe('a trainer', () => {
  it.each([['runs'], ['watch', RUN_ID], ['stop', RUN_ID]])(
    'that is not there is said so: %s',
    async (...args) => {
      expect(await runCommand([...args, '--trainer', NOBODY])).toEqual({
        exitCode: 1,
        stdout: '',
        stderr:
          `lunastream: Cannot reach a trainer at ${NOBODY}: start one with \`lunastream up --data DIR\` ` +
          'or name it with --trainer\n',
      });
    },
  );

  it('that does not know the run is bad input', () => {
    const trainer = new FakeTrainer();
    trainer.refusal = { code: status.NOT_FOUND, details: `Cannot find run '${RUN_ID}'` };
    return trainer.serve(async (address) => {
      for (const command of ['watch', 'stop']) {
        expect(await runCommand([command, RUN_ID, '--trainer', address])).toEqual({
          exitCode: 2,
          stdout: '',
          stderr: `lunastream: Cannot find run '${RUN_ID}'\n`,
        });
      }
    });
  });
});
