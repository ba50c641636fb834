import { withTemporaryFolder } from '@lunastream/testing';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeExampleRun } from '../test/example-runs.ts';
import { ReportError } from './errors.ts';
import { renderReport } from './render-report.ts';
import { readRunResults } from './run-results.ts';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
/** One transparent pixel. */
const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

async function exampleReport(folder: string): Promise<string> {
  const runs = [];
  for (const [variant, seed] of [
    ['balanced', 1],
    ['balanced', 2],
    ['all </script>', 1],
  ] as const) {
    const path = join(folder, `${runs.length}`);
    await writeExampleRun(path, { seed, comment: `run-${runs.length}` });
    runs.push({ variant, seed, results: await readRunResults(path) });
  }
  return renderReport({ title: 'does <balancing> help?', runs, draw: () => Promise.resolve(PIXEL) });
}

describe('renderReport()', () => {
  it('is one page that names nothing outside of itself', () =>
    withTemporaryFolder(async (folder) => {
      const page = await exampleReport(folder);
      expect(page).toContain('<title>does &lt;balancing&gt; help?</title>');
      expect(page).toContain("default-src 'none'");
      // Addresses that a browser would fetch; namespaces and comments of the plotting library name some that it does not.
      expect(page).not.toMatch(/(src|href)="(?!data:)/);
      expect(page).not.toMatch(/@import|url\((?!data:)/);
      expect(page.match(/<\/script>/g)).toHaveLength(3);
    }));

  it('calls the classes malignant and benign where that was learnt, and neither where runs differ', () =>
    withTemporaryFolder(async (folder) => {
      const pageOf = async (...labels: (string | undefined)[]) => {
        const runs = [];
        for (const each of labels) {
          const path = join(folder, `${labels.join()}-${runs.length}`);
          await writeExampleRun(path, {
            seed: 1,
            comment: 'x',
            ...(each === undefined ? {} : { labels: each }),
          });
          runs.push({ variant: `v${runs.length}`, seed: 1, results: await readRunResults(path) });
        }
        const page = await renderReport({ title: 'x', runs });
        // What a reader sees: the page without its scripts, and the words in its data.
        const data = JSON.parse(/id="report-data">(.*?)<\/script>/s.exec(page)![1]!) as {
          words: object;
          curves: { label: string }[];
          runs: { keep: { sentence: string } }[];
        };
        const words = JSON.stringify([
          data.words,
          data.curves.map(({ label }) => label),
          data.runs.map(({ keep }) => keep),
        ]);
        return `${page.replaceAll(/<(script|style)[^>]*>.*?<\/\1>/gs, '')}\n${words}`;
      };
      const malignant = await pageOf('malignancy');
      for (const words of [
        'Call it malignant above',
        'called malignant</th><th scope="col">called benign',
        'Malignant loss',
        'Lowest malignant loss',
        'Malignant nodules it missed most clearly',
        'Validation loss of malignant nodules',
        'P(malignant)',
      ])
        expect(malignant).toContain(words);
      expect(malignant.replaceAll(/(malignant|benign) nodules/gi, '')).not.toMatch(/nodule/i);
      const nodules = await pageOf(undefined, 'nodule');
      expect(nodules).toContain('Nodules it missed most clearly');
      expect(nodules).not.toMatch(/malignant|class="warning"/i);
      const both = await pageOf('nodule', 'malignancy');
      expect(both).toContain(
        'These runs have different labels (nodule, malignancy): their scores cannot be compared.',
      );
      expect(both).toContain('Positives it missed most clearly');
    }));

  it('refuses to report nothing', async () => {
    await expect(renderReport({ title: '', runs: [] })).rejects.toThrow(ReportError);
  });

  it('names what is missing or damaged of a run', () =>
    withTemporaryFolder(async (folder) => {
      await expect(readRunResults(folder)).rejects.toThrow(
        `Cannot report: there must be a file ${folder}/run.json`,
      );
      await writeExampleRun(folder, { seed: 1, comment: 'x' });
      await writeFile(join(folder, 'epochs.jsonl'), '{"epoch":1}\n{oops\n');
      await expect(readRunResults(folder)).rejects.toThrow(`${folder}/epochs.jsonl:2 must be JSON`);
      await writeFile(join(folder, 'run.json'), '{"runId":7}');
      await expect(readRunResults(folder)).rejects.toThrow('run.json: runId:');
    }));
});

const isBuilt = existsSync(join(import.meta.dirname, '../dist/src/browser/report-page.js'));
describe.skipIf(!existsSync(CHROMIUM) || !isBuilt)(
  'the report in Chromium (needs chromium and npm run setup)',
  () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS, timeout: 120_000 });
    });
    afterAll(() => browser?.close());

    /** Opens the page and hands it over with everything that went wrong, and every address it asked for. */
    async function withPage(
      use: (page: Page, faults: string[], requests: string[]) => Promise<void>,
    ): Promise<void> {
      await withTemporaryFolder(async (folder) => {
        const path = join(folder, 'report.html');
        await writeFile(path, await exampleReport(folder));
        const page = await browser.newPage();
        page.setDefaultTimeout(120_000);
        const faults: string[] = [];
        const requests: string[] = [];
        page.on('pageerror', (error) => faults.push(String(error)));
        page.on('console', (message) => faults.push(message.text()));
        page.on('request', (request) => requests.push(request.url()));
        await page.goto(pathToFileURL(path).href);
        await page.waitForSelector('html[data-ready=true]');
        await use(page, faults, requests);
        await page.close();
      });
    }

    const countsOf = (page: Page) =>
      Promise.all(
        ['tp', 'fp', 'fn', 'tn'].map(async (name) => Number(await page.textContent(`#count-${name}`))),
      );
    const moveSlider = (page: Page, position: number) => page.fill('#threshold', String(position));

    it('loads without an error and without a request beyond the page', () =>
      withPage(async (page, faults, requests) => {
        expect(faults).toEqual([]);
        expect(requests.filter((url) => !url.startsWith('data:'))).toHaveLength(1);
        expect(await page.locator('canvas').count()).toBe(4);
        expect(await page.locator('table.comparison tbody tr').count()).toBe(2);
      }));

    it('moves counts and scores with the threshold slider', () =>
      withPage(async (page, faults) => {
        // Probabilities of the best epoch: nodules .9 .8 .6 .4, others .6 .3 .2 .1 .1 .05.
        expect(await countsOf(page)).toEqual([3, 1, 1, 5]);
        await moveSlider(page, 700);
        expect(await countsOf(page)).toEqual([2, 0, 2, 6]);
        expect(await page.textContent('#threshold-scores')).toContain('Precision1.0000');
        await moveSlider(page, 1000);
        expect(await countsOf(page)).toEqual([0, 0, 4, 6]);
        expect(await page.textContent('#threshold-scores')).toContain('Precisionundefined');
        await moveSlider(page, 0);
        expect(await countsOf(page)).toEqual([4, 6, 0, 0]);
        expect(faults).toEqual([]);
      }));

    it('shows the worst mistakes, the other scores and the other runs', () =>
      withPage(async (page, faults) => {
        // At 0.5 one of each; the pictures follow the slider.
        const visible = (id: string) => page.locator(`#${id} figure:not([hidden])`).count();
        expect([await visible('missed'), await visible('false-alarms')]).toEqual([1, 1]);
        await moveSlider(page, 700);
        expect([await visible('missed'), await visible('false-alarms')]).toEqual([2, 0]);
        expect(await page.isVisible('#false-alarms-none')).toBe(true);
        expect(await page.isVisible('#missed-none')).toBe(false);
        await moveSlider(page, 500);
        expect(await page.locator('#missed img').count()).toBe(4);
        expect(await page.locator('#missed figcaption strong').first().textContent()).toBe(
          'P(nodule) 0.4000',
        );
        expect(await page.locator('#false-alarms figcaption strong').first().textContent()).toBe(
          'P(nodule) 0.6000',
        );
        await page.click('#score-buttons button:has-text("Precision")');
        expect(await page.getAttribute('#score-buttons button:has-text("Precision")', 'aria-pressed')).toBe(
          'true',
        );
        await page.selectOption('#run-select', { index: 2 });
        expect(await page.textContent('#settings')).toContain('p2ch12/run-2');
        await page.emulateMedia({ colorScheme: 'dark' });
        expect(await page.locator('canvas').count()).toBe(4);
        expect(faults).toEqual([]);
      }));
  },
);
