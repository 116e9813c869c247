// Every page, on a desktop and a phone, in both themes, from the file system with the network off.
import { chromium } from 'playwright-core';
import fs from 'fs';
import path from 'path';
import { pathToFileURL, fileURLToPath } from 'url';

const root = process.argv[2];
const notebooks = path.join(root, '..', '..', 'book', 'notebooks');
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((file) => fs.existsSync(file));
const pages = ['genindex.html', 'search.html',
  ...fs.readdirSync(path.join(root, 'book')).filter((file) => file.endsWith('.html')).map((file) => `book/${file}`)];
const shapes = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const anchors = new Map();
let passed = 0, failed = 0;
const verdict = (what, faults) => {
  if (faults.length) { failed += 1; console.log(`FAILED ${what}\n  ${[...new Set(faults)].slice(0, 12).join('\n  ')}`); } else passed += 1;
};

// A loaded machine is slow, not wrong: what never loads fails all the same.
const patience = 120000;
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--allow-file-access-from-files'] });

const inspect = () => {
  const faults = [];
  const article = document.querySelector('article') ?? document.body;
  document.querySelectorAll('mjx-merror').forEach((node) => faults.push(`mathematics with an error: ${node.textContent}`));
  document.querySelectorAll('.math').forEach((node) => { if (!node.querySelector('mjx-container')) faults.push(`unrendered mathematics: ${node.textContent.slice(0, 60)}`); });
  const prose = article.cloneNode(true);
  prose.querySelectorAll('pre, code, mjx-container, script').forEach((node) => node.remove());
  const raw = prose.textContent.match(/\$[^$\n]{1,80}\$/);
  if (raw) faults.push(`mathematics left as text: ${raw[0]}`);
  document.querySelectorAll('img').forEach((image) => {
    if (!image.getAttribute('alt')) faults.push(`no alternative text: ${image.src}`);
    if (!image.complete || image.naturalWidth === 0) faults.push(`picture not shown: ${image.src}`);
  });
  if (document.documentElement.scrollWidth > innerWidth + 1) faults.push(`wider than the window: ${document.documentElement.scrollWidth} > ${innerWidth}`);
  const links = [...document.querySelectorAll('a[href]')].map((a) => a.href);
  const ids = [...document.querySelectorAll('[id], a[name]')].map((node) => node.id || node.name);
  return { faults, links, ids };
};

const links = new Map();
for (const [shape, viewport] of Object.entries(shapes)) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport, colorScheme, offline: true });
    context.setDefaultTimeout(patience);
    for (const name of pages) {
      const page = await context.newPage();
      const faults = [];
      page.on('console', (message) => { if (message.type() === 'error') faults.push(`console: ${message.text()}`); });
      page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
      page.on('requestfailed', (request) => { if (request.failure()?.errorText !== 'net::ERR_ABORTED') faults.push(`failed request: ${request.url()}`); });
      page.on('request', (request) => { if (/^https?:/.test(request.url())) faults.push(`asks another server: ${request.url()}`); });
      await page.goto(pathToFileURL(path.join(root, name)).href, { waitUntil: 'load' });
      await page.evaluate(() => window.MathJax?.startup?.promise);
      await page.waitForTimeout(150);
      const seen = await page.evaluate(inspect);
      faults.push(...seen.faults);
      const theme = await page.evaluate(() => document.documentElement.dataset.theme);
      if (name.startsWith('book/') && theme !== colorScheme) faults.push(`theme is ${theme}`);
      const wrong = await page.evaluate((dark) => [...document.querySelectorAll('img.themed')].filter((i) => i.src.includes('.dark.') !== dark).map((i) => i.src), colorScheme === 'dark');
      faults.push(...wrong.map((src) => `drawing of the other theme: ${src}`));
      const wide = await page.evaluate((narrow) => [...document.querySelectorAll('img.themed')].filter((i) => i.src.includes('.narrow.') !== narrow).map((i) => i.src), shape === 'phone');
      faults.push(...wide.map((src) => `drawing of the other width: ${src}`));
      if (shape === 'desktop' && fs.existsSync(path.join(notebooks, `${path.basename(name, '.html')}.ipynb`))) {
        const top = await page.evaluate(() => document.querySelector('article img.themed')?.getBoundingClientRect().top ?? Infinity);
        if (top > viewport.height) faults.push(`the first figure begins at ${Math.round(top)} pixels, below the first screen`);
      }
      anchors.set(pathToFileURL(path.join(root, name)).pathname, new Set(seen.ids));
      links.set(name, seen.links);
      verdict(`${name}, ${shape}, ${colorScheme}`, faults);
      await page.close();
    }
    await context.close();
  }
}

for (const [name, targets] of links) {
  const faults = [];
  for (const target of targets) {
    const url = new URL(target);
    if (url.protocol !== 'file:') continue;
    if (!fs.existsSync(fileURLToPath(`file://${url.pathname}`))) faults.push(`broken link: ${url.pathname}`);
    else if (url.hash && anchors.has(url.pathname) && !anchors.get(url.pathname).has(decodeURIComponent(url.hash.slice(1)))) faults.push(`broken anchor: ${url.pathname}${url.hash}`);
  }
  verdict(`links of ${name}`, faults);
}

const context = await browser.newContext({ viewport: shapes.desktop, offline: true });
context.setDefaultTimeout(patience);
const page = await context.newPage();
await page.goto(pathToFileURL(path.join(root, 'index.html')).href);
const arrived = await page.waitForURL(/book\/intro\.html/, { timeout: 10000 }).then(() => true, () => false);
verdict('index.html', arrived ? [] : ['it does not lead to the first page']);
await page.goto(`${pathToFileURL(path.join(root, 'search.html')).href}?q=kernel`, { waitUntil: 'load' });
await page.waitForTimeout(3000);
const hits = await page.evaluate(() => document.querySelectorAll('#search-results li').length);
verdict('search', hits > 0 ? [] : ['a search for "kernel" finds nothing']);

const framed = pages.find((name) => name.startsWith('book/') && fs.readFileSync(path.join(root, name), 'utf8').includes('class="frames"'));
if (framed) {
  await page.goto(pathToFileURL(path.join(root, framed)).href, { waitUntil: 'load' });
  const range = page.locator('.frame-bar input').first();
  await range.focus();
  const before = await page.evaluate(() => document.querySelector('.frame-bar').previousElementSibling.src);
  await page.keyboard.press('ArrowRight');
  await page.waitForTimeout(300);
  const after = await page.evaluate(() => [document.querySelector('.frame-bar').previousElementSibling.src, document.querySelector('.frame-bar').previousElementSibling.naturalWidth]);
  verdict('slider by keyboard', after[0] !== before && after[1] > 0 ? [] : ['the arrow key does not show another frame']);
}

// The ledger: as many claims as cards, each leading to the other, and a filter that narrows the wall.
const cards = [];
for (const name of pages.filter((each) => each.startsWith('book/') && each !== 'book/claims.html')) {
  const html = fs.readFileSync(path.join(root, name), 'utf8');
  for (const [, id] of html.matchAll(/href="claims\.html#ledger-([A-Z]\d+)"/g)) cards.push(`${path.basename(name)}#claim-${id}`);
}
const ledger = pathToFileURL(path.join(root, 'book', 'claims.html')).href;
await page.goto(ledger, { waitUntil: 'load' });
const rows = await page.evaluate(() => [...document.querySelectorAll('.ledger-item .claim-back a')].map((a) => a.getAttribute('href')));
verdict('cards and ledger', JSON.stringify([...cards].sort()) === JSON.stringify([...rows].sort()) && rows.length > 0 ? [] : [`${cards.length} cards, ${rows.length} rows`]);
const shown = () => page.evaluate(() => [...document.querySelectorAll('.ledger-item')].filter((item) => item.getClientRects().length).length);
await page.fill('.ledger-filter input[type=search]', 'mean');
const some = await shown();
const said = await page.textContent('.ledger-filter output');
await page.fill('.ledger-filter input[type=search]', '');
await page.check('.ledger-filter input[type=checkbox] >> nth=0');
const kind = await shown();
verdict('filter of the ledger', some > 0 && some < rows.length && kind > 0 && kind < rows.length && said === `${some} of ${rows.length} claims` ? [] : [`${some} by text, ${kind} by kind of ${rows.length}; it says ${said}`]);
await page.goto(`${ledger}#ledger-${cards[0].split('-').pop()}`, { waitUntil: 'load' });
await page.reload({ waitUntil: 'load' });
const open = await page.evaluate(() => [...document.querySelectorAll('.ledger-item[open]')].map((item) => item.id));
verdict('a link opens its claim', open.length === 1 ? [] : [`open: ${open}`]);
await browser.close();
console.log(`site: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
