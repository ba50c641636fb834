import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a link does to packets, as tc-netem(8) says it. */
export type Netem = readonly string[];

/** A network of its own, joined to this one by a link that can be disturbed. Needs root on Linux. */
export class NetworkNamespace {
  /** Address of this side of the link. */
  readonly outerAddress: string;
  /** Address of what runs inside. */
  readonly innerAddress: string;
  readonly #name: string;

  private constructor(name: string, subnet: string) {
    this.#name = name;
    this.outerAddress = `${subnet}.1`;
    this.innerAddress = `${subnet}.2`;
  }

  /** Why there can be no disturbed namespaces here; undefined when there can. */
  static faultHere(): string | undefined {
    if (process.platform !== 'linux') return 'not Linux';
    const name = `ls-try-${process.pid}`;
    const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'ignore' });
    try {
      ip('netns', 'add', name);
    } catch {
      return 'ip netns add is not allowed';
    }
    try {
      ip('netns', 'exec', name, 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '3ms');
      return undefined;
    } catch {
      return 'the kernel has no netem';
    } finally {
      ip('netns', 'delete', name);
    }
  }

  /** Makes a namespace whose link does `netem` to packets of both directions. */
  static async create(netem: Netem): Promise<NetworkNamespace> {
    const name = `ls-${process.pid}`;
    // Of the addresses that RFC 2544 keeps for such tests; two bytes of the pid keep tests apart.
    const namespace = new NetworkNamespace(name, `198.18.${process.pid % 256}`);
    const [outer, inner] = [`${name}-o`, `${name}-i`];
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', name]);
    await run('ip', ['address', 'add', `${namespace.outerAddress}/30`, 'dev', outer]);
    await run('ip', ['link', 'set', outer, 'up']);
    const [ip, ...inside] = namespace.command;
    for (const args of [
      ['ip', 'address', 'add', `${namespace.innerAddress}/30`, 'dev', inner],
      ['ip', 'link', 'set', inner, 'up'],
      ['ip', 'link', 'set', 'lo', 'up'],
    ]) {
      await run(ip, [...inside, ...args]);
    }
    if (netem.length > 0) {
      await run('tc', ['qdisc', 'add', 'dev', outer, 'root', 'netem', ...netem]);
      await run(ip, [...inside, 'tc', 'qdisc', 'add', 'dev', inner, 'root', 'netem', ...netem]);
    }
    return namespace;
  }

  /** What a command line starts with that is to run inside. */
  get command(): readonly [string, ...string[]] {
    return ['ip', 'netns', 'exec', this.#name];
  }

  /** Removes the namespace and its link; what runs inside must have ended. */
  async remove(): Promise<void> {
    await run('ip', ['netns', 'delete', this.#name]);
  }
}
