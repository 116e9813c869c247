// Every page, on a desktop and a phone, in both themes, from the file system with the network off.
// AXE=0 leaves axe-core out, AXE=lazy has it look at the pages alone whose name has that in it.
import { chromium } from 'playwright-core';
import fs from 'fs';
import path from 'path';
import http from 'http';
import { pathToFileURL, fileURLToPath } from 'url';
import { look, unfold } from './accessible.mjs';
import { live } from './live.mjs';
import { missed, plant, PLANTED } from './planted.mjs';

const root = process.argv[2];
const notebooks = path.join(root, '..', '..', 'book', 'notebooks');
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) => fs.existsSync(file));
const pages = ['genindex.html', 'py-modindex.html', 'prf-prf.html', 'search.html',
  ...fs.readdirSync(path.join(root, 'book')).filter((file) => file.endsWith('.html')).map((file) => `book/${file}`)];
const shapes = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const axe = process.env.AXE ?? '1';
const asked = (name) => axe === '1' || (axe !== '0' && name.includes(axe));
if (axe !== '0' && !pages.some(asked)) throw new Error(`AXE must be 0, 1, or in the name of a page, and is ${axe}`);
const anchors = new Map();
let passed = 0, failed = 0;
const verdict = (what, faults) => {
  if (faults.length) { failed += 1; console.log(`FAILED ${what}\n  ${[...new Set(faults)].slice(0, 12).join('\n  ')}`); } else passed += 1;
};

// A loaded machine is slow, not wrong: what never loads fails all the same.
const patience = 120000;
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--allow-file-access-from-files'] });

const end = async () => {
  await browser.close();
  console.log(`site: ${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
};
if (process.env.ONLY === 'live') {
  await live(browser, root, shapes, patience, verdict);
  await end();
}

const inspect = () => {
  const faults = [];
  const article = document.querySelector('article') ?? document.body;
  document.querySelectorAll('mjx-merror').forEach((node) => faults.push(`mathematics with an error: ${node.textContent}`));
  document.querySelectorAll('.math').forEach((node) => { if (!node.querySelector('mjx-container') && !node.closest('details.ledger-item:not([open]) > :not(summary)')) faults.push(`unrendered mathematics: ${node.textContent.slice(0, 60)}`); });
  const prose = article.cloneNode(true);
  prose.querySelectorAll('pre, code, mjx-container, script').forEach((node) => node.remove());
  document.querySelectorAll('mjx-container[tabindex], mjx-container [tabindex]').forEach((node) => faults.push(`a formula is a tab stop: ${node.textContent.slice(0, 60)}`));
  // A slider is named by what it moves, as the page's script says.
  document.querySelectorAll('script.frames').forEach((script) => {
    const { name, moves } = JSON.parse(script.textContent);
    const range = document.querySelector(`img[data-name="${name}"]`)?.parentElement.querySelector('.frame-bar input');
    if (range && range.getAttribute('aria-label') !== moves) faults.push(`the slider of ${name} is not named ${moves}`);
  });
  // A table scrolls rather than being clipped, by keys too, and no word of it is parted.
  // (The index is a list of dotted names in columns, which has no other place to break.)
  document.querySelectorAll('article table:not(.indextable)').forEach((table) => {
    const place = table.closest('.pst-scrollable-table-container, .output.text_html');
    if (!place) faults.push(`a table stands in no place that scrolls: ${table.textContent.trim().slice(0, 60)}`);
    else if (place.scrollWidth > place.clientWidth + 1 && (place.tabIndex !== 0 || getComputedStyle(place).overflowX !== 'auto')) faults.push(`a wide table cannot be scrolled by keys: ${table.textContent.trim().slice(0, 60)}`);
    const texts = document.createTreeWalker(table, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      if (texts.currentNode.parentElement.closest('mjx-container')) continue;
      for (const word of texts.currentNode.data.matchAll(/\p{L}{2,}/gu)) {
        const range = document.createRange();
        range.setStart(texts.currentNode, word.index);
        range.setEnd(texts.currentNode, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top / 4))).size > 1) faults.push(`a word of a table is parted: ${word[0]}`);
      }
    }
  });
  const raw = prose.textContent.match(/\$[^$\n]{1,80}\$/);
  if (raw) faults.push(`mathematics left as text: ${raw[0]}`);
  document.querySelectorAll('img').forEach((image) => {
    if (!image.getAttribute('alt')) faults.push(`no alternative text: ${image.src}`);
    // One that is fetched as it comes into view is looked up as a link is.
    if (image.loading !== 'lazy' && (!image.complete || image.naturalWidth === 0)) faults.push(`picture not shown: ${image.src}`);
  });
  if (document.documentElement.scrollWidth > innerWidth + 1) faults.push(`wider than the window: ${document.documentElement.scrollWidth} > ${innerWidth}`);
  const links = [...document.querySelectorAll('a[href]')].map((a) => new URL(a.getAttribute('href'), document.baseURI).href); // a drawing's links too
  links.push(...[...document.querySelectorAll('img[loading="lazy"]')].map((image) => image.src));
  const ids = [...document.querySelectorAll('[id], a[name]')].map((node) => node.id || node.name);
  const twice = ids.filter((id, place) => ids.indexOf(id) < place);
  if (twice.length) faults.push(`names that stand twice: ${[...new Set(twice)]}`);
  return { faults, links, ids };
};

// Two pages stand open at a time, the largest first: what one waits for the other uses.
const sizes = new Map(pages.map((name) => [name, fs.statSync(path.join(root, name)).size]));
const abreast = async (names, visit) => {
  const left = [...names].sort((one, other) => sizes.get(other) - sizes.get(one));
  await Promise.all([0, 1].map(async () => { while (left.length) await visit(left.shift()); }));
};

const links = new Map();
for (const [shape, viewport] of Object.entries(shapes)) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport, colorScheme, offline: true });
    context.setDefaultTimeout(patience);
    await abreast(pages, async (name) => {
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
      // What axe says last, since it opens what is folded; of a dark page, what has to do with colours.
      if (asked(name)) {
        await unfold(page);
        verdict(`axe: ${name}, ${shape}, ${colorScheme}`, await look(page, { only: colorScheme === 'dark' }));
      }
      await page.close();
    });
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

// The search: opened as a file or served, it shows the words where they stand, and each result leads to its place.
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
const server = http.createServer((request, answer) => {
  const file = path.join(root, decodeURIComponent(new URL(request.url, 'http://x').pathname));
  if (!fs.existsSync(file) || fs.statSync(file).isDirectory()) { answer.writeHead(404); answer.end(); return; }
  answer.writeHead(200, { 'content-type': types[path.extname(file)] ?? 'application/octet-stream' });
  answer.end(fs.readFileSync(file));
}).listen(0, '127.0.0.1');
await new Promise((ready) => { server.once('listening', ready); });
const online = await (await browser.newContext({ viewport: shapes.desktop })).newPage();
online.setDefaultTimeout(patience);
for (const [how, tab, base] of [['opened as a file', page, `${pathToFileURL(root).href}/`], ['served', online, `http://127.0.0.1:${server.address().port}/`]]) {
  const faults = [];
  await tab.goto(`${base}search.html?q=bandwidth+rule`, { waitUntil: 'load' });
  const results = tab.locator('#search-results li');
  await results.first().waitFor();
  const found = await results.evaluateAll((items) => items.map((item) => [item.querySelector('a').getAttribute('href'), [...item.querySelectorAll('mark')].map((mark) => mark.textContent.toLowerCase()), item.querySelector('p + p').textContent.length]));
  if (found.length < 3) faults.push(`it finds ${found.length} places`);
  for (const [href, marks, length] of found) {
    const [file, anchor] = href.split('#');
    if (!anchors.get(pathToFileURL(path.join(root, file)).pathname)?.has(decodeURIComponent(anchor))) faults.push(`it leads nowhere: ${href}`);
    if (length > 500 || marks.some((mark) => !/^(bandwidth|rule)$/.test(mark))) faults.push(`the excerpt of ${href} has ${length} letters and marks ${marks}`);
  }
  if (found.filter(([, marks]) => marks.length).length < found.length / 2) faults.push('most results mark no word');
  const all = found.length;
  await tab.fill('.book-search input', 'no such word anywhere');
  if (await results.count() || !(await tab.textContent('#search-summary')).startsWith('No place')) faults.push('it finds what is not there');
  await tab.fill('.book-search input', 'bandwidth rule');
  if (await results.count() !== all) faults.push('typing finds other places than the address does');
  await results.first().locator('a').click();
  await tab.waitForLoadState('load');
  const arrived = await tab.evaluate(() => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.getBoundingClientRect().top);
  if (!(arrived > -5 && arrived < 900)) faults.push(`the first result is not on the screen but at ${arrived}`);
  verdict(`search, ${how}`, faults);
}
await online.context().close();
server.close();

// By keys: past the contents into the page; no part of a folded sidebar on the way.
for (const [shape, viewport] of Object.entries(shapes)) {
  const faults = [];
  await page.setViewportSize(viewport);
  await page.goto(pathToFileURL(path.join(root, 'book', 'means.html')).href, { waitUntil: 'load' });
  await page.evaluate(() => window.MathJax?.startup?.promise);
  const here = () => page.evaluate(() => {
    const { activeElement: node } = document, { top, bottom, left, right } = node.getBoundingClientRect();
    return { href: node.getAttribute('href'), seen: top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth && bottom > top, inside: Boolean(node.closest('#main-content')), what: node.outerHTML.slice(0, 80) };
  });
  await page.keyboard.press('Tab');
  // It slides into view.
  await page.waitForFunction(() => document.activeElement.getBoundingClientRect().top >= 0, null, { timeout: 5000 }).catch(() => {});
  const skip = await here();
  if (skip.href !== '#main-content' || !skip.seen) faults.push(`the first tab stop is not the link to the text: ${skip.what}`);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  const next = await here();
  if (!next.inside) faults.push(`after the link the focus is not in the text: ${next.what}`);
  verdict(`skip link, ${shape}`, faults);
}
await page.setViewportSize(shapes.desktop);

// Fonts of our own, and lines of prose that an eye can follow.
{
  const faults = [];
  const { families, broken, lines } = await page.evaluate(async () => {
    await document.fonts.ready;
    const all = [...document.fonts];
    const prose = [...document.querySelectorAll('article section > p')].map((node) => [node.innerText.length, node.getBoundingClientRect().height / parseFloat(getComputedStyle(node).lineHeight), node.querySelector('mjx-container')]);
    return { families: all.filter((font) => font.status === 'loaded').map((font) => font.family.replaceAll('"', '')), broken: all.filter((font) => font.status === 'error').map((font) => font.family), lines: prose.filter(([, rows, formula]) => rows > 3 && !formula).map(([length, rows]) => length / rows) };
  });
  for (const family of ['Book Serif', 'Book Mono']) if (!families.includes(family)) faults.push(`${family} is not loaded`);
  if (broken.length) faults.push(`fonts that cannot be loaded: ${broken}`);
  const mean = lines.reduce((sum, one) => sum + one, 0) / lines.length;
  if (!(mean > 60 && mean < 82)) faults.push(`a line of prose has ${Math.round(mean)} letters`);
  verdict('fonts and measure', faults);
}

// On paper: from a dark screen and a phone too, the light drawings, loaded, in dark ink; what is folded leaves no bar.
for (const [shape, viewport] of Object.entries(shapes)) {
  const paper = await (await browser.newContext({ viewport, colorScheme: 'dark', offline: true })).newPage();
  paper.setDefaultTimeout(patience);
  for (const name of ['intro', 'means', 'lazy', 'cost', 'claims']) {
    const faults = [];
    await paper.emulateMedia({ media: 'screen', colorScheme: 'dark' });
    await paper.goto(pathToFileURL(path.join(root, 'book', `${name}.html`)).href, { waitUntil: 'load' });
    await paper.evaluate(() => window.MathJax?.startup?.promise);
    await paper.emulateMedia({ media: 'print', colorScheme: 'dark' });
    const becomes = (theme) => paper.waitForFunction((name) => document.documentElement.dataset.theme === name, theme, { timeout: 20000 }).then(() => true, () => false);
    await becomes('light');
    const seen = await paper.evaluate(() => {
      const shown = (node) => node.getClientRects().length > 0;
      const drawings = [...document.querySelectorAll('img.themed, img.for-print')].filter(shown);
      return {
        theme: document.documentElement.dataset.theme, ink: getComputedStyle(document.querySelector('article p')).color, ground: getComputedStyle(document.body).backgroundColor,
        wrong: drawings.filter((image) => !image.src.endsWith('.light.svg') || image.src.includes('.narrow.') || !image.complete || !image.naturalWidth).map((image) => image.src),
        missing: [...document.querySelectorAll('figure')].filter((figure) => shown(figure) && figure.querySelector('img.themed') && ![...figure.querySelectorAll('img')].some(shown)).map((figure) => figure.id),
        bars: [...document.querySelectorAll('details.hide:not([open]), details.page-box:not([open]), input, button')].filter(shown).length,
        mute: [...document.querySelectorAll('.frame-bar output')].filter((note) => !shown(note) || !/one of \d+ drawings/.test(getComputedStyle(note, '::after').content)).length,
        parted: [...document.querySelectorAll('figure, .claim-card, tr')].filter((node) => shown(node) && getComputedStyle(node).breakInside !== 'avoid').length,
      };
    });
    if (seen.theme !== 'light') faults.push(`the theme on paper is ${seen.theme}`);
    if (Math.max(...seen.ink.match(/\d+/g).slice(0, 3).map(Number)) > 110) faults.push(`the ink is ${seen.ink}`);
    if (seen.ground !== 'rgb(255, 255, 255)') faults.push(`the ground is ${seen.ground}`);
    faults.push(...seen.wrong.map((src) => `not the drawing for paper, or not loaded: ${src}`), ...seen.missing.map((id) => `no drawing in ${id}`));
    if (seen.bars) faults.push(`${seen.bars} bars and buttons that do nothing`);
    if (seen.mute) faults.push(`${seen.mute} drawings with a slider do not say of how many they are one`);
    if (seen.parted) faults.push(`${seen.parted} figures, cards and rows may be parted`);
    await paper.emulateMedia({ media: 'screen', colorScheme: 'dark' });
    if (!await becomes('dark')) faults.push('after printing the screen is not dark again');
    verdict(`${name} on paper, from a dark ${shape}`, faults);
  }
  await paper.context().close();
}

// Where the live piece has taken the frames' place their slider is not seen.
const framed = pages.find((name) => {
  const html = name.startsWith('book/') ? fs.readFileSync(path.join(root, name), 'utf8') : '';
  return html.includes('class="frames"') && !html.includes('class="playground"');
});
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
// Formulas that are folded away are set when their claim is opened, and the others at once.
{
  const bare = () => page.evaluate(async () => {
    await new Promise((ready) => { requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(ready))); });
    await window.MathJax.startup.promise;
    const formulas = [...document.querySelectorAll('.ledger-item .math')].filter((node) => !node.querySelector('mjx-container'));
    return [formulas.length, formulas.filter((node) => !node.closest('details:not([open]) > :not(summary)')).length];
  });
  const [folded, missed] = await bare();
  await page.evaluate(() => document.querySelectorAll('.ledger-item').forEach((item) => { item.open = true; }));
  const [left] = await bare();
  verdict('formulas of the ledger', folded > 0 && missed === 0 && left === 0 ? [] : [`${folded} not set at first, ${missed} of them in sight; ${left} when all are open`]);
}
await live(browser, root, shapes, patience, verdict);

// The family map: each box and edge is a link with a name that shows its focus, and the list beside it has the same.
{
  const map = [];
  await page.goto(pathToFileURL(path.join(root, 'book', 'intro.html')).href, { waitUntil: 'load' });
  const places = await page.evaluate(() => [...document.querySelectorAll('.family-wide a')].map((a) => [a.getAttribute('href'), a.getAttribute('aria-label')]));
  const items = await page.evaluate(() => [...document.querySelectorAll('.family-wide')].flatMap((svg) => [...svg.closest('figure').parentNode.querySelectorAll('details.page-box li a')].map((a) => a.getAttribute('href'))));
  if (places.length < 30 || JSON.stringify(places.map(([href]) => href).sort()) !== JSON.stringify(items.sort())) map.push(`${places.length} links in the map, ${items.length} in the list`);
  if (places.some(([, name]) => !name)) map.push('a link has no name');
  const stroke = () => page.evaluate(() => getComputedStyle(document.querySelector('.family-wide a rect')).stroke);
  const resting = await stroke();
  await page.locator('.family-wide a').first().focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Shift+Tab');
  if (await stroke() === resting) map.push('the focus is not seen');
  for (const [shape, viewport] of Object.entries(shapes)) {
    await page.setViewportSize(viewport);
    const boxes = await page.evaluate(() => [...document.querySelectorAll('.family-map')].map((svg) => svg.getClientRects().length));
    if (JSON.stringify(boxes) !== (shape === 'phone' ? '[0,1]' : '[1,0]')) map.push(`on a ${shape} the two drawings have ${boxes} boxes`);
  }
  verdict('the family map', map);
}

// What opens over a page, in both themes: menu, search, and on a phone the contents of the book and of the page.
const OVER = {
  desktop: [['.dropdown-toggle', '.dropdown-menu.show'], ['.search-button-field', '#pst-search-dialog']],
  phone: [['.dropdown-toggle', '.dropdown-menu.show'], ['.primary-toggle', '#pst-primary-sidebar-modal'], ['.secondary-toggle', '#pst-secondary-sidebar-modal']],
};
// The smallest chapter with a claim has what the others have.
const holds = (name, piece) => fs.readFileSync(path.join(root, name), 'utf8').includes(piece);
const chapter = pages.filter((name) => holds(name, 'class="claim-card') && holds(name, 'class="cell_input')).reduce((one, other) => (sizes.get(one) < sizes.get(other) ? one : other));
// Opens a page without its formulas, and calls `visit` with it at each width and in each theme.
const inEach = async (name, prepared, visit) => {
  const context = await browser.newContext({ viewport: shapes.desktop, colorScheme: 'light', offline: true });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  await page.route(/mathjax/, (route) => route.abort());
  await page.goto(pathToFileURL(path.join(root, name)).href, { waitUntil: 'load' });
  await prepared(page);
  await unfold(page);
  for (const [shape, viewport] of Object.entries(shapes)) {
    await page.setViewportSize(viewport);
    for (const theme of ['light', 'dark']) {
      await page.evaluate((each) => { document.documentElement.dataset.theme = each; }, theme);
      await visit(page, shape, theme);
    }
  }
  await context.close();
};
if (asked(chapter)) {
  const empty = (page) => page.evaluate(() => document.querySelector('article').replaceChildren());
  await inEach(chapter, empty, async (page, shape, theme) => {
    for (const [button, place] of OVER[shape]) {
      await page.click(button);
      await page.locator(place).waitFor();
      verdict(`axe: ${place} of ${chapter}, ${shape}, ${theme}`, await look(page, { only: theme === 'dark', place }));
      await page.keyboard.press('Escape');
      await page.locator(place).waitFor({ state: 'hidden' });
    }
  });
}

// Faults that are planted are found, each where it shows and nowhere else.
for (const [faults, name] of [[PLANTED.chapter, chapter], [PLANTED.ledger, 'book/claims.html']].filter(([, each]) => asked(each))) {
  let lacks = [];
  await inEach(name, async (page) => { lacks = await plant(page, faults); }, async (page, shape, theme) => {
    const said = await look(page, { only: theme === 'dark' });
    verdict(`planted faults in ${name}, ${shape}, ${theme}`, [...lacks, ...missed(faults, `${shape} ${theme}`, said)]);
  });
}
await end();
