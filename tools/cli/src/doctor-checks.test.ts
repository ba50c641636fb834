import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '@lunastream/testing';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FakeTrainer } from '../test/fake-trainer.ts';
import { runCommand } from '../test/run-command.ts';
import { expiryFinding, gpuFinding, metricsFindings } from './doctor-checks.ts';

const NOW_MS = Date.UTC(2026, 10, 29);
const DAY_MS = 86_400_000;

describe('expiryFinding()', () => {
  it.each([
    [-1, 'failed', 'certificate expired on 2026-11-28'],
    [13, 'warning', 'certificate expires on 2026-12-12'],
    [14, 'ok', 'certificate expires on 2026-12-13'],
  ])('of a certificate with %i days left', (days, verdict, detail) => {
    const expiry = new Date(NOW_MS + days * DAY_MS);
    expect(expiryFinding('trainer', expiry, NOW_MS)).toEqual({ check: 'trainer', verdict, detail });
  });
});

/** A page of metrics, told at `date`. */
async function withMetrics(date: Date, text: string, use: (address: string) => Promise<void>): Promise<void> {
  const server = createServer((_, response) => {
    response.setHeader('date', date.toUTCString());
    response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

describe('metricsFindings()', () => {
  it('warns of a clock that differs and of another version', () =>
    withMetrics(
      new Date(0),
      'target_info{service_name="trainer",service_version="9.9.9"} 1\n',
      async (address) => {
        const [clock, version] = await metricsFindings(address, '0.1.0');
        expect(clock).toMatchObject({ check: `clock of ${address}`, verdict: 'warning' });
        expect(version).toEqual({
          check: `version of ${address}`,
          verdict: 'warning',
          detail: '9.9.9, this command is 0.1.0',
        });
      },
    ));

  it('is content with the same version', () =>
    withMetrics(new Date(), 'target_info{service_version="0.1.0"} 1\n', async (address) => {
      expect((await metricsFindings(address, '0.1.0'))[1]).toMatchObject({ verdict: 'ok' });
    }));
});

describe('gpuFinding()', () => {
  const machine: Record<string, string[]> = {
    '/dev': ['null', 'nvidiactl', 'nvidia3', 'nvidia-uvm'],
    '/dev/dri': ['by-path', 'card0', 'renderD128', 'renderD129'],
  };

  it('names every GPU, the fourth of a machine, too', () => {
    expect(gpuFinding((folder) => machine[folder]!).detail).toBe(
      'found /dev/nvidia3, /dev/dri/renderD128, /dev/dri/renderD129',
    );
  });

  it('says what computes where there is none', () => {
    expect(gpuFinding(() => ['null', 'nvidiactl', 'card0'])).toMatchObject({
      verdict: 'ok',
      detail: 'none: the simd engine computes on the CPU',
    });
  });
});

describe('lunastream doctor', () => {
  it('finds a trainer that answers, room on a disk, and ends with 0', () =>
    withTemporaryFolder((folder) =>
      new FakeTrainer().serve(async (address) => {
        const { stdout, stderr } = await runCommand([
          'doctor',
          '--trainer',
          address,
          '--folder',
          folder,
          '--json',
        ]);
        expect(stderr).toBe('');
        const findings = stdout
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as { check: string; verdict: string });
        expect(findings.map(({ check }) => check)).toEqual([
          `trainer ${address}`,
          `disk of ${folder}`,
          'GPU of this machine',
        ]);
        expect(findings[0]).toMatchObject({ verdict: 'ok' });
      }),
    ));

  it('names what does not answer, looks at all the rest, and ends with 1', async () => {
    const { exitCode, stdout } = await runCommand([
      'doctor',
      ...[
        '--chunk-cache',
        '127.0.0.1:1',
        '--workers',
        '127.0.0.1:1',
        '--metrics',
        '127.0.0.1:1',
        '--folder',
        '/nowhere',
      ],
      '--json',
    ]);
    expect(exitCode).toBe(1);
    const verdicts = stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { verdict: string }).verdict);
    expect(verdicts).toEqual(['failed', 'failed', 'failed', 'failed', 'ok']);
  });

  it('refuses an address that is none', async () => {
    const { exitCode, stderr } = await runCommand(['doctor', '--trainer', 'trainer']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('It must be host:port, several separated by commas.');
  });
});
