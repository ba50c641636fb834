import type { experimental } from '@grpc/grpc-js';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { Logger } from './logger.ts';

/** Between two looks at the files. Their text is compared, not their times: Kubernetes swaps a link to replace them. */
const RELOAD_INTERVAL_MS = 5_000;

/** Where the PEM files lie. Certificate and key come together; without an authority the system's are trusted. */
export interface TlsFiles {
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly authority?: string | undefined;
}

/** What the files hold, PEM. */
export interface TlsMaterial {
  readonly certificate?: Buffer;
  readonly key?: Buffer;
  readonly authority?: Buffer;
}

/** TLS files that cannot be used; the message names the file. */
export class TlsFileError extends Error {
  readonly tag = 'TlsFileError';
}

type Listener = (material: TlsMaterial) => void;

/**
 * The TLS files of a process, read again while it runs: connections made after a change use what is new, those that are
 * open go on. Files that cannot be used (half written, or key and certificate of different pairs) are logged and the
 * last good ones stay in use.
 *
 * Also the certificate provider of grpc-js's clients.
 */
export class TlsWatcher implements experimental.CertificateProvider {
  readonly #files: TlsFiles;
  readonly #logger: Logger | undefined;
  readonly #listeners = new Set<Listener>();
  readonly #caListeners = new Map<experimental.CaCertificateUpdateListener, Listener>();
  readonly #identityListeners = new Map<experimental.IdentityCertificateUpdateListener, Listener>();
  readonly #timer: NodeJS.Timeout;
  #material: TlsMaterial;
  #lastFault = '';

  /** @throws TlsFileError when a file is missing, damaged or expired, or key and certificate are of different pairs. */
  constructor(files: TlsFiles, options: { readonly logger?: Logger; readonly intervalMs?: number } = {}) {
    this.#files = files;
    this.#logger = options.logger;
    this.#material = readTlsMaterial(files);
    this.#timer = setInterval(() => this.#reload(), options.intervalMs ?? RELOAD_INTERVAL_MS).unref();
  }

  /** What is in use now. */
  get material(): TlsMaterial {
    return this.#material;
  }

  /** Whether this process has a certificate to show. */
  get hasIdentity(): boolean {
    return this.#files.certificate !== undefined;
  }

  /** Calls `listener` whenever the material changes; returns how to end that. */
  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  addCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    const tell: Listener = ({ authority }) =>
      listener({ caCertificate: authority ?? Buffer.from(rootCertificates.join('\n')) });
    this.#caListeners.set(listener, tell);
    this.#add(tell);
  }

  removeCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#listeners.delete(this.#caListeners.get(listener)!);
    this.#caListeners.delete(listener);
  }

  addIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    const tell: Listener = ({ certificate, key }) =>
      listener(certificate === undefined || key === undefined ? null : { certificate, privateKey: key });
    this.#identityListeners.set(listener, tell);
    this.#add(tell);
  }

  removeIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#listeners.delete(this.#identityListeners.get(listener)!);
    this.#identityListeners.delete(listener);
  }

  /** grpc-js wants to be told later what there is now. */
  #add(tell: Listener): void {
    this.#listeners.add(tell);
    queueMicrotask(() => tell(this.#material));
  }

  #reload(): void {
    let material: TlsMaterial;
    try {
      material = readTlsMaterial(this.#files);
    } catch (error) {
      // Said once, not at every look.
      const { message } = error as Error;
      if (message !== this.#lastFault)
        this.#logger?.error({ err: error }, `${message}; the last good files stay in use`);
      this.#lastFault = message;
      return;
    }
    this.#lastFault = '';
    if (isSame(material, this.#material)) return;
    this.#material = material;
    this.#logger?.info(
      { files: this.#files, expires: expiryOf(material) },
      'TLS files changed and are in use',
    );
    for (const listener of [...this.#listeners]) listener(material);
  }
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  return (['certificate', 'key', 'authority'] as const).every((part) => {
    const [left, right] = [one[part], other[part]];
    return left === right || (left !== undefined && right !== undefined && left.equals(right));
  });
}

/** When the certificate of `material` expires, ISO text; undefined without one. */
export function expiryOf({ certificate }: TlsMaterial): string | undefined {
  return certificate && new Date(new X509Certificate(certificate).validTo).toISOString();
}

/** Reads and checks the files. @throws TlsFileError */
export function readTlsMaterial(files: TlsFiles): TlsMaterial {
  if ((files.certificate === undefined) !== (files.key === undefined)) {
    throw new TlsFileError(
      `Cannot use TLS: certificate and key come together, got only ${files.certificate ?? files.key}`,
    );
  }
  const certificate = readPem('certificate', files.certificate);
  const authority = readPem('authority', files.authority);
  const key = readFile('key', files.key);
  try {
    createSecureContext({ cert: certificate, key });
  } catch (cause) {
    throw new TlsFileError(
      `Cannot use TLS: ${files.key} must be the private key of ${files.certificate}, got "${(cause as Error).message}"`,
      { cause },
    );
  }
  return { ...(certificate && { certificate }), ...(key && { key }), ...(authority && { authority }) };
}

function readFile(part: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new TlsFileError(`Cannot read the TLS ${part} ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** A file of one or more certificates, the first of them valid today. */
function readPem(part: string, path: string | undefined): Buffer | undefined {
  const bytes = readFile(part, path);
  if (bytes === undefined) return undefined;
  let validTo: Date;
  try {
    validTo = new Date(new X509Certificate(bytes).validTo);
  } catch (cause) {
    throw new TlsFileError(`Cannot use the TLS ${part} ${path}: it must be a PEM certificate`, { cause });
  }
  if (validTo.getTime() < Date.now()) {
    throw new TlsFileError(`Cannot use the TLS ${part} ${path}: it expired on ${validTo.toISOString()}`);
  }
  return bytes;
}
