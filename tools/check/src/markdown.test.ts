import { describe, expect, it } from 'vitest';
import { codeSpans, headings, linkedPaths, sectionOf } from './markdown.ts';

const DOCUMENT = [
  '# Title',
  '## What',
  'See [the plan](docs/plan.md#goal "Plan") and ![a picture](<./picture.png>), `[not](a-link.md)`.',
  '```sh',
  '## no heading',
  'cat [no](link.md) # `no span`',
  '```',
  '## Read first',
  '`src/a.ts`, `src/b.ts`, [web](https://example.org/x), [mail](mailto:a@example.org), [here](#what)',
  '### Detail',
  '<img alt="flow" src="../flow.svg"> [by reference][ref] [up](../../)',
  '',
  '[ref]: other%20file.md',
].join('\n');

describe('headings()', () => {
  it('lists the headings of one level and skips code blocks', () => {
    expect(headings(DOCUMENT, 2)).toEqual(['What', 'Read first']);
    expect(headings(DOCUMENT, 3)).toEqual(['Detail']);
  });
});

describe('sectionOf()', () => {
  it('gives what lies below a heading', () => {
    expect(codeSpans(sectionOf(DOCUMENT, 'Read first')!)).toEqual(['src/a.ts', 'src/b.ts']);
  });

  it('is undefined for a heading that is not there', () => {
    expect(sectionOf(DOCUMENT, 'Detail')).toBeUndefined();
  });
});

describe('linkedPaths()', () => {
  it('finds relative links of every form, from the folder of the document, and no others', () => {
    expect(linkedPaths('libs/random/README.md', DOCUMENT)).toEqual([
      'libs/random/docs/plan.md',
      'libs/random/picture.png',
      './',
      'libs/random/other file.md',
      'libs/flow.svg',
    ]);
  });
});
