import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withTemporaryFolder, workspaceRoot } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { runProgram } from './run-program.ts';

const BUF = join(workspaceRoot, 'node_modules/.bin/buf');
const PROTOS = join(workspaceRoot, 'proto');
const BASELINE = join(PROTOS, 'baseline.binpb');

/** buf's exit code for "ran, and found faults". */
const FOUND_FAULTS = 100;

interface BufResult {
  readonly code: number;
  readonly faults: readonly { readonly type: string; readonly message: string }[];
}

/** Runs a check of buf with the rules of the buf.yaml in `protos`. */
async function runBuf(protos: string, args: readonly string[]): Promise<BufResult> {
  const { code, output } = await runProgram(BUF, [...args, '--error-format', 'json'], { cwd: protos });
  const lines = output.split('\n').filter((line) => line !== '');
  return { code, faults: lines.map((line) => JSON.parse(line) as BufResult['faults'][number]) };
}

const lint = (protos: string) => runBuf(protos, ['lint']);
const compareWithBaseline = (protos: string) => runBuf(protos, ['breaking', '--against', BASELINE]);

interface Edit {
  /** Below proto/lunastream. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Runs `check` on a copy of proto/ in which `from`, which must occur exactly once, is replaced. */
function onEditedProtos({ file, from, to }: Edit, check: (protos: string) => Promise<BufResult>) {
  return withTemporaryFolder((copy) => {
    cpSync(PROTOS, copy, { recursive: true });
    const path = join(copy, 'lunastream', file);
    const parts = readFileSync(path, 'utf8').split(from);
    expect(parts, `${file} must hold ${JSON.stringify(from)} once`).toHaveLength(2);
    writeFileSync(path, parts.join(to));
    return check(copy);
  });
}

const VOLUME = 'volume/v1/volume.proto';
const CHUNK = 'chunk/v1/chunk_service.proto';

describe('buf lint', () => {
  it('accepts proto/', async () => {
    expect(await lint(PROTOS)).toEqual({ code: 0, faults: [] });
  });

  it.each([
    ['a field without a comment', 'COMMENT_FIELD', VOLUME, '  // Number of rows.\n', ''],
    ['a message without a comment', 'COMMENT_MESSAGE', CHUNK, '// Voxels of one chunk.\n', ''],
    [
      'a field in camel case',
      'FIELD_LOWER_SNAKE_CASE',
      CHUNK,
      'uint64 cut_chunk_count = 2',
      'uint64 cutChunkCount = 2',
    ],
    [
      'an enum whose zero is not "unspecified"',
      'ENUM_ZERO_VALUE_SUFFIX',
      CHUNK,
      'CHUNK_ERROR_CODE_UNSPECIFIED = 0',
      'CHUNK_ERROR_CODE_NONE = 0',
    ],
  ])('refuses %s by rule %s', async (_, rule, file, from, to) => {
    const { code, faults } = await onEditedProtos({ file, from, to }, lint);
    expect(code).toBe(FOUND_FAULTS);
    expect(faults.map(({ type }) => type)).toEqual([rule]);
  });
});

describe('buf breaking', () => {
  it('finds proto/ compatible with proto/baseline.binpb', async () => {
    expect(await compareWithBaseline(PROTOS)).toEqual({ code: 0, faults: [] });
  });

  it('accepts a new field', async () => {
    const edit = {
      file: CHUNK,
      from: 'uint64 corrupt_count = 8;',
      to: 'uint64 corrupt_count = 8;\n  // Planted.\n  uint64 planted_count = 99;',
    };
    expect(await onEditedProtos(edit, compareWithBaseline)).toEqual({ code: 0, faults: [] });
  });

  it.each([
    [
      'a field of another type',
      'FIELD_WIRE_JSON_COMPATIBLE_TYPE',
      CHUNK,
      'uint64 cut_chunk_count = 2;',
      'string cut_chunk_count = 2;',
    ],
    [
      'a field that is gone and not reserved',
      'FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED',
      CHUNK,
      '  // Chunks cut from a scan because no tier had them.\n  uint64 cut_chunk_count = 2;\n',
      '',
    ],
    [
      'a field of another number',
      'FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED',
      CHUNK,
      'uint64 cut_chunk_count = 2;',
      'uint64 cut_chunk_count = 9;',
    ],
    [
      'a field of another name',
      'FIELD_SAME_JSON_NAME',
      CHUNK,
      'uint64 cut_chunk_count = 2;',
      'uint64 made_chunk_count = 2;',
    ],
    [
      'an enum value of another name',
      'ENUM_VALUE_SAME_NAME',
      CHUNK,
      'CHUNK_ERROR_CODE_DATA_LOSS = 3',
      'CHUNK_ERROR_CODE_LOST = 3',
    ],
    [
      'a call that is gone',
      'RPC_NO_DELETE',
      CHUNK,
      '  rpc GetChunkStats(GetChunkStatsRequest) returns (GetChunkStatsResponse);\n',
      '',
    ],
    [
      'a call that no longer streams',
      'RPC_SAME_SERVER_STREAMING',
      CHUNK,
      'returns (stream StreamChunksResponse)',
      'returns (StreamChunksResponse)',
    ],
  ])('refuses %s by rule %s', async (_, rule, file, from, to) => {
    const { code, faults } = await onEditedProtos({ file, from, to }, compareWithBaseline);
    expect(code).toBe(FOUND_FAULTS);
    expect(faults.map(({ type }) => type)).toContain(rule);
  });
});
