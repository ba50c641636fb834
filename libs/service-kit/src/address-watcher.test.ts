import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AddressWatcher, type AddressWatcherOptions, type ServerAddress } from './address-watcher.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function watch(options: Partial<AddressWatcherOptions> & Pick<AddressWatcherOptions, 'targets'>) {
  const told: (readonly ServerAddress[])[] = [];
  const errors: string[] = [];
  const watcher = await AddressWatcher.start({
    onChange: (addresses) => told.push(addresses),
    onError: (sentence) => errors.push(sentence),
    ...options,
  });
  return { told, errors, watcher };
}
const tick = async () => {
  vi.advanceTimersByTime(2_000);
  await new Promise((resolve) => setImmediate(resolve));
};

describe('AddressWatcher', () => {
  it('tells a static list once, as it is, and asks no name service', async () => {
    const lookup = vi.fn();
    const { told } = await watch({ targets: ['10.0.0.1:1', 'worker:2'], lookup });
    await tick();
    expect(told).toEqual([
      [
        { address: '10.0.0.1:1', serverName: undefined },
        { address: 'worker:2', serverName: undefined },
      ],
    ]);
    expect(lookup).not.toHaveBeenCalled();
  });

  it('tells who comes and goes behind a name within 2 s, and nothing while the answer only turns', async () => {
    const answers = [
      ['10.0.0.2', '10.0.0.1'],
      ['10.0.0.1', '10.0.0.2'],
      ['10.0.0.2', 'fd00::3'],
    ];
    const lookup = () => Promise.resolve(answers.shift() ?? ['10.0.0.9']);
    const { told, watcher } = await watch({ targets: ['dns:///workers:50052'], lookup });
    const named = (...addresses: string[]) =>
      addresses.map((address) => ({ address, serverName: 'workers' }));
    expect(told).toEqual([named('10.0.0.1:50052', '10.0.0.2:50052')]);
    await tick();
    expect(told.length).toBe(1);
    await tick();
    expect(told[1]).toEqual(named('10.0.0.2:50052', '[fd00::3]:50052'));
    watcher.close();
    await tick();
    expect(told.length).toBe(2);
  });

  it('keeps the last addresses while the name service fails, and says so once', async () => {
    let fault: Error | undefined;
    const lookup = () => (fault === undefined ? Promise.resolve(['10.0.0.1']) : Promise.reject(fault));
    const { told, errors } = await watch({ targets: ['dns:///workers:1', '10.0.0.7:1'], lookup });
    fault = new Error('getaddrinfo EAI_AGAIN workers');
    await tick();
    await tick();
    expect(errors).toEqual(['Cannot resolve dns:///workers:1: getaddrinfo EAI_AGAIN workers']);
    expect(told.map((addresses) => addresses.length)).toEqual([2]);
    fault = undefined;
    await tick();
    fault = new Error('getaddrinfo ENOTFOUND workers');
    await tick();
    expect(errors.length).toBe(2);
  });

  it('starts with no address when the name is unknown at first', async () => {
    const { told, errors } = await watch({
      targets: ['dns:///workers:1'],
      lookup: () => Promise.reject(new Error('ENOTFOUND')),
    });
    expect(told).toEqual([[]]);
    expect(errors).toEqual(['Cannot resolve dns:///workers:1: ENOTFOUND']);
  });

  it('refuses at the start what its user refuses, and goes on when that happens later', async () => {
    const refuse = () => {
      throw new Error('not without TLS');
    };
    await expect(watch({ targets: ['10.0.0.1:1'], onChange: refuse })).rejects.toThrow('not without TLS');
    const answers = [['127.0.0.1'], ['10.0.0.1'], ['127.0.0.1']];
    const changes: number[] = [];
    const { errors } = await watch({
      targets: ['dns:///workers:1'],
      lookup: () => Promise.resolve(answers.shift()!),
      onChange: ([first]) => {
        changes.push(changes.length);
        if (first!.address.startsWith('10.')) refuse();
      },
    });
    await tick();
    await tick();
    expect(errors).toEqual(['not without TLS']);
    expect(changes).toEqual([0, 1, 2]);
  });
});
