// `npm test`: formatting, lint with import boundaries, types, and every test. Ends with the counts of all.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installed, run, say } from './process.mjs';
import { setUp } from './setup.mjs';

const reportFolder = mkdtempSync(join(tmpdir(), 'lunastream-report-'));
const reportPath = join(reportFolder, 'vitest.json');
process.on('exit', () => rmSync(reportFolder, { recursive: true, force: true }));
const node = process.execPath;

/** Types are checked by the build in setup.mjs; protos, generated code and planted faults by tests of tools/check. */
const steps = {
  format: [node, [installed('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']],
  lint: [node, [installed('nx/dist/bin/nx.js'), 'run-many', '--target', 'lint', '--output-style', 'static']],
  tests: [
    node,
    [
      installed('vitest/vitest.mjs'),
      'run',
      '--reporter',
      'default',
      '--reporter',
      'json',
      '--outputFile.json',
      reportPath,
    ],
  ],
};

/** Passed, failed and skipped tests, and the names of the skipped. */
function readCounts() {
  const report = JSON.parse(readFileSync(reportPath, 'utf8'));
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const skipped = tests.filter(
    ({ status }) => status === 'skipped' || status === 'pending' || status === 'todo',
  );
  const failedFiles = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  return {
    passed: tests.filter(({ status }) => status === 'passed').length,
    failed: tests.filter(({ status }) => status === 'failed').length + failedFiles.length,
    skipped: skipped.map(({ fullName }) => fullName),
  };
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in steps));
if (unknown.length > 0) {
  say(`Cannot test ${unknown.join(', ')}: the steps are ${Object.keys(steps).join(', ')}`);
  process.exit(2);
}

await setUp();
let passedSteps = 0;
let failedSteps = 0;
let counts = { passed: 0, failed: 0, skipped: [] };
for (const [name, [command, args]] of Object.entries(steps)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const startMs = performance.now();
  const { code } = await run(command, args);
  say(`${name}: ${code === 0 ? 'ok' : 'FAILED'}, ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  if (name === 'tests') counts = readCounts();
  if (code === 0) passedSteps++;
  else failedSteps++;
}
for (const name of counts.skipped) say(`skipped: ${name}`);
// Formatting and lint count as one test each, so that the closing line tells about everything.
const testSteps = counts.passed + counts.failed > 0 ? 1 : 0;
const passed = counts.passed + passedSteps - (testSteps && counts.failed === 0 ? 1 : 0);
const failed = counts.failed + failedSteps - (testSteps && counts.failed > 0 ? 1 : 0);
process.stdout.write(`${passed} passed, ${failed} failed, ${counts.skipped.length} skipped\n`);
process.exitCode = failedSteps === 0 && failed === 0 ? 0 : 1;
