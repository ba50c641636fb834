import { withTemporaryFolder } from '@lunastream/testing';
import type { Command } from 'commander';
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { FakeTerminal } from '../test/fake-terminal.ts';
import { runCommand } from '../test/run-command.ts';
import { createProgram } from './program.ts';

/** Every command by its words, groups of commands included. */
function commandsOf(command: Command, words: readonly string[] = []): [words: readonly string[], Command][] {
  return [
    [words, command],
    ...command.commands.flatMap((child) => commandsOf(child, [...words, child.name()])),
  ];
}
const program = createProgram({
  terminal: new FakeTerminal(),
  environment: {},
  interrupted: new AbortController().signal,
  setExitCode: () => undefined,
});
const COMMANDS = commandsOf(program);

describe('lunastream', () => {
  it('has the commands of its README', () => {
    expect(COMMANDS.map(([words]) => words.join(' '))).toEqual([
      '',
      'up',
      'train',
      'experiment',
      'experiment chapter',
      'experiment balance',
      'experiment augment',
      'experiment normalization',
      'experiment score',
      'experiment grid',
      'report',
      'evaluate',
      'predict',
      'export',
      'runs',
      'watch',
      'stop',
      'data',
      'data check',
      'data phantom',
      'cache',
      'cache stats',
      'cache clear',
      'cache verify',
      'cache warm',
      'preview',
      'replay',
      'dev-ca',
      'doctor',
    ]);
  });

  it.each(COMMANDS.map(([words, command]) => ({ name: ['lunastream', ...words].join(' '), words, command })))(
    '$name --help lists every option and command, each with a description',
    async ({ words, command }) => {
      const { exitCode, stdout, stderr } = await runCommand([...words, '--help']);
      expect(exitCode).toBe(0);
      expect(stderr).toBe('');
      expect(stdout).toMatch(/^Usage: lunastream/);
      for (const { long, description } of command.options) {
        expect(stdout).toContain(long);
        expect(description).not.toBe('');
      }
      for (const child of command.commands) {
        expect(stdout).toContain(child.name());
        expect(child.description()).not.toBe('');
      }
    },
  );

  it('without a command says what there is, and that this was not enough', async () => {
    const { exitCode, stderr } = await runCommand([]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^Usage: lunastream/);
  });

  it.each([
    [['trian'], "error: unknown command 'trian'\n(Did you mean train?)\n"],
    [['data', 'chek'], "error: unknown command 'chek'\n(Did you mean check?)\n"],
    [['train', '--epoch', '3'], "error: unknown option '--epoch'\n(Did you mean --epochs?)\n"],
    [['runs', '--augment-shift'], "error: unknown option '--augment-shift'\n"],
    [['up'], "error: required option '--data <folder>' not specified\n"],
    [['watch'], "error: missing required argument 'run'\n"],
    [['data', 'check'], "error: missing required argument 'folder'\n"],
    [['runs', 'extra'], "error: too many arguments for 'runs'. Expected 0 arguments but got 1.\n"],
    [['train', '--json', '--quiet'], "error: option '--json' cannot be used with option '--quiet'\n"],
    [
      ['train', '--trainer', '127.0.0.1:1', '--data', '.'],
      "error: option '--trainer <host:port>' cannot be used with option '--data <folder>'\n",
    ],
    [
      ['up', '--data', '.', '--port', '65536'],
      "error: option '--port <number>' argument '65536' is invalid. It must be a whole number in 0..65535.\n",
    ],
  ])('%j is bad input, said in a sentence', async (args, stderr) => {
    expect(await runCommand(args)).toEqual({ exitCode: 2, stdout: '', stderr });
  });
});

describe('train and up', () => {
  it.each([
    [['train'], 'Cannot train: name a data folder with --data, or a running trainer with --trainer'],
    [['train', '--data', 'FOLDER/none'], 'Cannot read data set FOLDER/none: there is no such folder'],
    [['train', '--data', 'FOLDER'], 'Cannot read data set FOLDER: there is no FOLDER/candidates.csv'],
    [['up', '--data', 'FOLDER/none'], 'Cannot read data set FOLDER/none: there is no such folder'],
  ])('%j is refused before anything is started or written', (args, message) =>
    withTemporaryFolder(async (folder) => {
      const inFolder = (text: string) => text.replaceAll('FOLDER', folder);
      const where = args[1] === undefined ? [] : ['--state', `${folder}/state`, '--out', `${folder}/runs`];
      const outcome = await runCommand([...args.map(inFolder), ...where]);
      expect(outcome).toEqual({ exitCode: 2, stdout: '', stderr: `lunastream: ${inFolder(message)}\n` });
      expect(await readdir(folder)).toEqual([]);
    }),
  );
});
