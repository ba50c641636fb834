import { Metadata } from '@grpc/grpc-js';
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { RequestError } from './request-error.ts';
import { bearerTokenSchema } from './security-settings.ts';

/** Where the token is: the text itself or a file that is read for every call, so that it may change. */
export interface TokenPlace {
  readonly token?: string | undefined;
  readonly file?: string | undefined;
}

/** Checks that a call may start or stop runs. @throws RequestError 'unauthenticated' */
export type Authorize = (metadata: Metadata) => void;

/** A token file that cannot be used; the message names it, never what it holds. */
export class TokenFileError extends Error {
  readonly tag = 'TokenFileError';
}

/** The token, or undefined when none is wanted. @throws TokenFileError */
export function readToken({ token, file }: TokenPlace): string | undefined {
  if (file === undefined) return token;
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new TokenFileError(`Cannot read the token file ${file}: ${(cause as Error).message}`, { cause });
  }
  const parsed = bearerTokenSchema().safeParse(text);
  if (!parsed.success) {
    throw new TokenFileError(
      `Cannot use the token file ${file}: its text ${parsed.error.issues[0]!.message}`,
    );
  }
  return parsed.data;
}

/** Headers of a call that starts or stops a run: the token, when there is one. @throws TokenFileError */
export function tokenMetadata(place: TokenPlace): Metadata {
  const metadata = new Metadata();
  const token = readToken(place);
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

/** Makes the check for a service whose token is at `place`; without a token every caller may. */
export function createAuthorize(place: TokenPlace): Authorize {
  return (metadata) => {
    const expected = readToken(place);
    if (expected === undefined) return;
    const [given] = metadata.get('authorization');
    if (given === undefined) {
      throw new RequestError(
        'unauthenticated',
        'Cannot start or stop runs: the call must carry the token, got none (set LUNASTREAM_TOKEN_FILE or --token-file)',
      );
    }
    if (!isEqual(String(given), `Bearer ${expected}`)) {
      throw new RequestError(
        'unauthenticated',
        'Cannot start or stop runs: the call must carry the token, got another',
      );
    }
  };
}

/** Hashes have one length, so that the time taken tells nothing of the token. */
function isEqual(given: string, expected: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(expected));
}
