import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';

const folder = join(workspaceRoot, 'deploy/prometheus');

/** Runs promtool; its code and what it wrote. */
function promtool(...args: string[]) {
  const { error, status, stdout, stderr } = spawnSync('promtool', args, { cwd: folder, encoding: 'utf8' });
  return { isMissing: error !== undefined, code: status, output: `${stdout}${stderr}` };
}

const { isMissing } = promtool('--version');

describe.skipIf(isMissing)('promtool [needs Debian package prometheus]', () => {
  it.each([
    ['check', 'rules', 'rules/lunastream.yml'],
    ['check', 'config', '--syntax-only', 'prometheus.yml'],
    ['test', 'rules', 'lunastream.test.yml'],
  ])('%s %s passes', (...args) => {
    const { code, output } = promtool(...args);
    expect(output).toContain('SUCCESS');
    expect(code).toBe(0);
  });
});
