import { posix } from 'node:path';

/** Text of a Markdown document without its code blocks, in which nothing is a heading or a link. */
function withoutCodeBlocks(text: string): string {
  return text.replace(/^(```|~~~).*?^\1.*?$/gms, '');
}

/** Titles of the headings of `level`, in order. */
export function headings(text: string, level: number): string[] {
  const marks = '#'.repeat(level);
  return [...withoutCodeBlocks(text).matchAll(new RegExp(`^${marks} +(.+?) *$`, 'gm'))].map(
    ([, title]) => title!,
  );
}

/** Text below the heading `title` of level 2, up to the next one; undefined without such a heading. */
export function sectionOf(text: string, title: string): string | undefined {
  const parts = text.split(/^## +(.+?) *$/m);
  const position = parts.findIndex((part, index) => index % 2 === 1 && part === title);
  return position === -1 ? undefined : parts[position + 1];
}

/** What stands between single backticks. */
export function codeSpans(text: string): string[] {
  return [...withoutCodeBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!);
}

/** Targets of links and images: inline, by reference, and in HTML. */
function linkTargets(text: string): string[] {
  const prose = withoutCodeBlocks(text).replace(/`[^`\n]*`/g, '');
  const inline = prose.matchAll(/\]\(\s*<?([^\s)>]+)>?[^)]*\)/g);
  const references = prose.matchAll(/^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)/gm);
  const html = prose.matchAll(/<(?:a|img)\b[^>]*?\b(?:href|src)="([^"]+)"/g);
  return [...inline, ...references, ...html].map(([, target]) => target!);
}

/**
 * Files and folders that the document at `path` links to, relative to where `path` is relative to. Links to the web and
 * within the document are left out.
 */
export function linkedPaths(path: string, text: string): string[] {
  return linkTargets(text)
    .filter((target) => !/^[a-z][a-z0-9+.-]*:|^\/\/|^#/i.test(target))
    .map((target) => decodeURI(target.replace(/[?#].*$/, '')))
    .map((target) => posix.join(posix.dirname(path), target));
}
