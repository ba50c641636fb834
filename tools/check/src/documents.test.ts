import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@lunastream/testing';
import { describe, expect, it } from 'vitest';
import { codeSpans, headings, linkedPaths, sectionOf } from './markdown.ts';
import { listTrackedFiles } from './tracked-files.ts';
import { listProjectFolders } from './workspace.ts';

/** What each README of a project answers, in this order. */
const README_HEADINGS = ['What', 'Interface', 'Run', 'Settings', 'Read first'];
/** One screen, with some of the lines that Markdown leaves empty. */
const LONGEST_README_LINES = 80;

describe('the README of a project', () => {
  const folders = listProjectFolders(workspaceRoot);
  const read = (folder: string) => readFileSync(join(workspaceRoot, folder, 'README.md'), 'utf8');

  it.each(folders)('%s has the five headings on one screen', (folder) => {
    const text = read(folder);
    expect(headings(text, 1)).toHaveLength(1);
    expect(headings(text, 2)).toEqual(README_HEADINGS);
    expect(text.split('\n').length).toBeLessThanOrEqual(LONGEST_README_LINES);
  });

  it.each(folders)('%s names files to read first that exist', (folder) => {
    const section = sectionOf(read(folder), 'Read first') ?? '';
    const named = [...codeSpans(section), ...linkedPaths('README.md', section)];
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((path) => !existsSync(join(workspaceRoot, folder, path)))).toEqual([]);
  });
});

describe('links of every document', () => {
  const tracked = listTrackedFiles(workspaceRoot);

  it.skipIf(tracked === undefined)('lead to files that the repository holds [needs git]', () => {
    const files = new Set(tracked);
    const isHeld = (path: string) => {
      const folder = `${path.replace(/\/+$/, '')}/`;
      return files.has(path) || path === './' || tracked!.some((file) => file.startsWith(folder));
    };
    const documents = tracked!.filter((path) => path.endsWith('.md'));
    expect(documents.length).toBeGreaterThan(0);
    const broken = documents.flatMap((path) =>
      linkedPaths(path, readFileSync(join(workspaceRoot, path), 'utf8'))
        .filter((target) => !isHeld(target))
        .map((target) => `${path} links to ${target}`),
    );
    expect(broken).toEqual([]);
  });
});
