import { credentials, experimental, type ChannelCredentials } from '@grpc/grpc-js';
import type { Metadata } from '@grpc/grpc-js';
import {
  createAuthorize,
  readToken,
  TokenFileError,
  tokenMetadata,
  type Authorize,
  type TokenPlace,
} from './bearer-token.ts';
import type { ConfigOf } from './config.ts';
import type { Logger } from './logger.ts';
import { isLoopback } from './peer-address.ts';
import type { securitySettings } from './security-settings.ts';
import { TlsFileError, TlsWatcher } from './tls-watcher.ts';

/** Values of `securitySettings`. */
export type SecurityConfig = ConfigOf<typeof securitySettings>;

/** A connection without TLS that would leave this machine. */
export class InsecureConnectionError extends Error {
  readonly tag = 'InsecureConnectionError';
}

/** Whether `error` is a fault of the security settings, which the caller can mend. */
export function isSecurityFault(error: unknown): error is Error {
  return [InsecureConnectionError, TlsFileError, TokenFileError].some((kind) => error instanceof kind);
}

const REMEDY =
  'set LUNASTREAM_TLS_CERT, _KEY and _CA (--tls-cert, --tls-key, --tls-ca), or LUNASTREAM_INSECURE=true (--insecure) on a network that is itself secured';

/**
 * How a process secures its connections, both as server and as client. TLS is on when any TLS file is given; connections
 * without it stay on this machine unless that is allowed in so many words.
 */
export class ConnectionSecurity {
  readonly tls: TlsWatcher | undefined;
  readonly #isInsecureAllowed: boolean;
  readonly #tokenPlace: TokenPlace;
  #channelCredentials: ChannelCredentials | undefined;

  constructor(options: { tls?: TlsWatcher; isInsecureAllowed?: boolean; tokenPlace?: TokenPlace } = {}) {
    this.tls = options.tls;
    this.#isInsecureAllowed = options.isInsecureAllowed ?? false;
    this.#tokenPlace = options.tokenPlace ?? {};
  }

  /** @throws TlsFileError, TokenFileError when files cannot be used, InsecureConnectionError for two tokens. */
  static open(config: SecurityConfig, logger?: Logger): ConnectionSecurity {
    if (config.bearerToken !== undefined && config.bearerTokenFile !== undefined) {
      throw new InsecureConnectionError(
        `Cannot choose a token: LUNASTREAM_TOKEN or LUNASTREAM_TOKEN_FILE must be set, got both`,
      );
    }
    const files = {
      certificate: config.tlsCertificateFile,
      key: config.tlsKeyFile,
      authority: config.tlsAuthorityFile,
    };
    const tokenPlace = { token: config.bearerToken, file: config.bearerTokenFile };
    // A file that cannot be used is told at once, not by the first call.
    readToken(tokenPlace);
    const isTls = Object.values(files).some((file) => file !== undefined);
    return new ConnectionSecurity({
      ...(isTls ? { tls: new TlsWatcher(files, logger ? { logger } : {}) } : {}),
      isInsecureAllowed: config.isInsecureAllowed,
      tokenPlace,
    });
  }

  /** Whether a service of this process answers only clients with a certificate of its authority. */
  get isMutual(): boolean {
    return this.tls?.hasIdentity === true && this.tls.material.authority !== undefined;
  }

  /** Checks calls that start or stop runs. */
  get authorize(): Authorize {
    return createAuthorize(this.#tokenPlace);
  }

  /** Headers of calls that start or stop runs. */
  tokenMetadata(): Metadata {
    return tokenMetadata(this.#tokenPlace);
  }

  /** @throws InsecureConnectionError when a client may not connect to `address`. */
  assertMayConnect(address: string): void {
    if (this.tls !== undefined || this.#isInsecureAllowed || isLoopback(address)) return;
    throw new InsecureConnectionError(
      `Cannot connect to ${address}: connections that leave this machine need TLS; ${REMEDY}`,
    );
  }

  /** Credentials of a channel to `address`. @throws InsecureConnectionError */
  channelCredentials(address: string): ChannelCredentials {
    this.assertMayConnect(address);
    if (this.tls === undefined) return credentials.createInsecure();
    // One object for all channels: grpc-js shares connections between channels of equal credentials only.
    this.#channelCredentials ??= experimental.createCertificateProviderChannelCredentials(
      this.tls,
      this.tls.hasIdentity ? this.tls : null,
    );
    return this.#channelCredentials;
  }

  /** @throws InsecureConnectionError when a service may not listen on `address`. */
  assertMayListen(address: string): void {
    if (this.tls !== undefined && !this.tls.hasIdentity) {
      throw new InsecureConnectionError(
        `Cannot listen on ${address}: a service with TLS needs a certificate, got only LUNASTREAM_TLS_CA`,
      );
    }
    if (this.tls !== undefined || this.#isInsecureAllowed || isLoopback(address)) return;
    throw new InsecureConnectionError(
      `Cannot listen on ${address}: addresses beyond this machine need TLS; ${REMEDY}`,
    );
  }

  /** @throws InsecureConnectionError when anyone who reaches `address` could start and stop runs. */
  assertKeepsStrangersOut(address: string): void {
    const hasToken = this.#tokenPlace.token !== undefined || this.#tokenPlace.file !== undefined;
    if (hasToken || this.isMutual || this.#isInsecureAllowed || isLoopback(address)) return;
    throw new InsecureConnectionError(
      `Cannot listen on ${address}: whoever reaches it could start and stop runs; set LUNASTREAM_TOKEN_FILE, LUNASTREAM_TLS_CA for client certificates, or LUNASTREAM_INSECURE=true`,
    );
  }

  /** Lets go of the TLS files. */
  close(): void {
    this.tls?.close();
  }
}

/** Without TLS, on this machine only. */
export const LOOPBACK_ONLY = new ConnectionSecurity();
