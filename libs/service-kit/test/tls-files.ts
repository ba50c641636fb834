import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConnectionSecurity } from '../src/connection-security.ts';
import { DevelopmentAuthority, type IssuedCertificate, type Validity } from '../src/development-ca/index.ts';
import { createLogger } from '../src/logger.ts';
import type { LogLine } from '../src/testing/index.ts';
import { TlsWatcher, type TlsFiles } from '../src/tls-watcher.ts';

const DAY_MS = 86_400_000;

/** Valid from yesterday to tomorrow. */
export function validNow(): Validity {
  return { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };
}

/** Valid until yesterday. */
export function expired(): Validity {
  return { notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() - DAY_MS) };
}

export function makeAuthority(name = 'authority'): Promise<DevelopmentAuthority> {
  return DevelopmentAuthority.create(name, validNow());
}

/** A certificate for servers and clients on this machine. */
export function issueLocal(authority: DevelopmentAuthority, validity?: Validity): Promise<IssuedCertificate> {
  return authority.issue({ name: 'local', hosts: ['localhost', '127.0.0.1'] }, validity);
}

/** PEM files of a folder, written and written again. */
export class TlsFolder {
  readonly files: { readonly certificate: string; readonly key: string; readonly authority: string };

  constructor(folder: string, name = 'tls') {
    const path = (end: string) => join(folder, `${name}${end}`);
    this.files = { certificate: path('.crt'), key: path('.key'), authority: path('-ca.crt') };
  }

  async write(authority: DevelopmentAuthority, issued?: IssuedCertificate): Promise<this> {
    const { certificatePem, keyPem } = issued ?? (await issueLocal(authority));
    await writeFile(this.files.authority, authority.certificatePem);
    await writeFile(this.files.certificate, certificatePem);
    await writeFile(this.files.key, keyPem);
    return this;
  }

  /** A watcher of some of the files that looks often, and what it logs. The caller closes it. */
  watch(parts: readonly (keyof TlsFiles)[]): WatchedSecurity {
    const log: LogLine[] = [];
    const waiting: { pattern: RegExp; tell: () => void }[] = [];
    const destination = {
      write: (line: string) => {
        log.push(JSON.parse(line) as LogLine);
        for (const { pattern, tell } of waiting) if (pattern.test(log.at(-1)!.msg)) tell();
      },
    };
    const files = Object.fromEntries(parts.map((part) => [part, this.files[part]])) as TlsFiles;
    const logger = createLogger({ service: 'tls', level: 'info', destination });
    const tls = new TlsWatcher(files, { logger, intervalMs: 20 });
    const logged = (pattern: RegExp) =>
      log.some(({ msg }) => pattern.test(msg))
        ? Promise.resolve()
        : new Promise<void>((tell) => waiting.push({ pattern, tell }));
    return Object.assign(new ConnectionSecurity({ tls }), { tls, log, logged });
  }
}

export interface WatchedSecurity extends ConnectionSecurity {
  readonly tls: TlsWatcher;
  readonly log: readonly LogLine[];
  /** Resolves when a line like `pattern` is logged, or was. */
  readonly logged: (pattern: RegExp) => Promise<void>;
}
