import { Command } from 'commander';
import { expect, it } from 'vitest';
import { prometheusOption, toFileDiscovery } from './scrape-targets.ts';

function parse(...args: string[]): unknown {
  const command = new Command()
    .addOption(prometheusOption())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return command.parse(['node', 'lunastream', ...args]).opts()['prometheus'];
}

it.each([
  [[], undefined],
  [['--prometheus'], 0],
  [['--prometheus', '9464'], 9464],
])('prometheusOption() takes %j for %j', (args, expected) => {
  expect(parse(...args)).toBe(expected);
});

it('prometheusOption() refuses what is no port', () => {
  expect(() => parse('--prometheus', 'here')).toThrow('It must be a port');
  expect(() => parse('--prometheus', '65001')).toThrow('It must be a port');
});

it('toFileDiscovery() makes a group per service, as file_sd_configs reads them', () => {
  const text = toFileDiscovery([{ name: 'trainer', address: '127.0.0.1:9466' }]);
  expect(JSON.parse(text)).toEqual([{ targets: ['127.0.0.1:9466'], labels: { name: 'trainer' } }]);
});
