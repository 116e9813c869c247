// The live pieces: each in the place of its drawing, with its numbers, at the hand of keys, finger, mouse and choices.
import fs from 'fs';
import path from 'path';
import { pathToFileURL } from 'url';

const addressOf = (root, name) => pathToFileURL(path.join(root, 'book', `${name}.html`)).href;

const hear = (page, faults) => {
  page.on('console', (message) => { if (message.type() === 'error') faults.push(`console: ${message.text()}`); });
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
};

const open = async (browser, patience, options) => {
  const page = await (await browser.newContext({ offline: true, ...options })).newPage();
  page.setDefaultTimeout(patience);
  return page;
};

// The columns of a figure's table, by name.
const columnsOf = (root, figure) => {
  const [head, ...lines] = fs.readFileSync(path.join(root, 'figures', `${figure}.csv`), 'utf8').trim().split('\n').map((line) => line.split(','));
  return (name) => lines.map((line) => line[head.indexOf(name)]).filter(Boolean).map(Number);
};

// Whether the drawing is seen, and whether the live piece is.
const standing = () => ['figure.is-live img', 'div.playground'].map((kind) => [...document.querySelectorAll(kind)].some((node) => node.getClientRects().length > 0)).join();

const standsWithoutScripts = async (browser, address, figure) => {
  const page = await (await browser.newContext({ offline: true, javaScriptEnabled: false })).newPage();
  await page.goto(address, { waitUntil: 'load' });
  const box = await page.locator(`figure img[src*="${figure}"]`).boundingBox();
  await page.context().close();
  return box?.height > 60;
};

const ofTheFirstPage = async (browser, root, shapes, patience, verdict) => {
  const page = await open(browser, patience, { viewport: shapes.desktop });
  const faults = [];
  const expect = (holds, what) => { if (!holds) faults.push(what); };
  hear(page, faults);
  const first = addressOf(root, 'intro');
  await page.goto(first, { waitUntil: 'load' });
  const target = page.locator('.play-target');
  const at = async () => Number(await target.getAttribute('aria-valuenow'));
  const said = () => page.textContent('.play-said');
  const drawn = await page.evaluate(standing);
  expect(drawn === 'false,true', `the drawing and the live piece stand there: ${drawn}`);
  expect(await page.evaluate(() => document.querySelector('div.playground').getBoundingClientRect().top < innerHeight / 2), 'the live piece begins below the middle of the first screen');
  const column = columnsOf(root, 'intro-live');
  const furthest = await page.evaluate(([place, mean]) => {
    const { data: [one], ...others } = JSON.parse(document.querySelector('script.playground').textContent);
    const kernel = { name: others.kernel ?? 'Gaussian', length: one.start.length };
    return Math.max(...place.map((x, i) => Math.abs(localmean.mean(localmean.weights(kernel, [x], one.keys), one.values) / mean[i] - 1)));
  }, [column('place'), column('mean')]);
  expect(furthest < 1e-6, `the live curve is off the drawn one, whose table has seven digits, by ${furthest}`);
  await target.focus();
  const start = await at(), words = await said();
  await page.keyboard.press('ArrowRight');
  expect(await at() > start && await said() !== words, 'the arrow key does not move the target and its mean');
  expect((await target.getAttribute('aria-valuetext')).includes('local mean of flow'), 'the target does not say its mean');
  const grip = await page.locator('.play-grip').boundingBox(), here = await at();
  await page.mouse.move(grip.x + grip.width / 2, grip.y + grip.height / 2);
  await page.mouse.down();
  await page.mouse.move(grip.x + 150, grip.y - 20, { steps: 4 });
  await page.mouse.up();
  expect(await at() > here + 5, 'a drag does not move the target');
  const answers = await page.locator('.play-answers input').evaluateAll((inputs) => inputs.map((input) => input.value));
  expect(answers.join() === 'mean,quantile,mode,line,climb,attend', `the switch offers ${answers}`);
  const seen = new Set();
  for (const set of await page.locator('.play-data option').evaluateAll((options) => options.map((option) => option.value))) {
    await page.selectOption('.play-data select', set);
    for (const answer of answers) {
      await page.check(`.play-answers input[value=${answer}]`, { force: true });
      seen.add(await said());
      const html = await page.innerHTML('div.playground');
      expect(!/NaN|Infinity|undefined/.test(html), `${answer} of ${set} shows what is no number`);
    }
  }
  expect(seen.size === 18, `three sets and six answers say ${seen.size} different things`);
  const dots = await page.locator('.play-points path').count();
  expect(dots === 160, `two moons are drawn with ${dots} points`);
  await page.selectOption('.play-data select', 'nile');
  await page.check('.play-answers input[value=mean]', { force: true });
  const wide = await said();
  await page.locator('.play-length input').focus();
  await page.keyboard.press('ArrowLeft');
  expect(await said() !== wide, 'the width does not change the mean');
  await page.selectOption('.play-kernel select', 'Epanechnikov');
  expect((await page.textContent('.play-length')).includes('radius'), 'a compact kernel has no radius');
  await page.emulateMedia({ media: 'print' });
  const printed = await page.evaluate(standing);
  expect(printed === 'true,false', `in print the drawing and the live piece stand there: ${printed}`);
  await page.emulateMedia({ media: 'screen', reducedMotion: 'reduce' });
  await page.click('.play-sweep');
  expect(await at() === 1974, 'who wants no motion must see the whole curve at once');
  expect(await standsWithoutScripts(browser, first, 'intro-live'), 'without scripts there is no drawing');
  await page.context().close();
  verdict('the live local mean', faults);
};

// Frames that gave way: the live numbers at the frames' widths against the table of what was drawn, to its seven
// digits. A curve is {places, answers} by the names of their columns, pictures are a column for each frame and picture.
const FRAMES = [
  { page: 'means', figure: 'means-sunspots', places: 'year', answers: 'mean' },
  { page: 'trick', figure: 'trick-limits', places: 'target', answers: 'fit' },
  { page: 'lazy', figure: 'lazy-temperature', answers: 'answer' },
  { page: 'denoising', figure: 'denoising-noise', answers: 'denoised' },
  { page: 'hopfield', figure: 'hopfield-states', answers: 'answer' },
];

// The live piece's own numbers, for each frame: at some places, or of the pictures that answer.
const answersAt = (places) => {
  const { data, answer, pictures, figure } = JSON.parse(document.querySelector('script.playground').textContent);
  const frames = [...document.querySelectorAll('script.frames')].map((one) => JSON.parse(one.textContent)).find(({ name }) => name === figure);
  const widths = frames.labels.map((label) => Number(label.match(/[\d.]+(e-?\d+)?/)[0]));
  if (pictures) {
    const asked = localmean.album(pictures);
    const bright = (picture) => (pictures.again ? picture.map((value) => value / Math.max(...picture)) : picture);
    return widths.map((width) => [...asked.answers(width)].pop().map(bright));
  }
  const [{ keys, values }] = data;
  return widths.map((length) => places.map((x) => {
    const weight = localmean.weights({ name: 'Gaussian', length }, [x], keys);
    return answer === 'line' ? localmean.line(weight, [x], keys, values).value : localmean.mean(weight, values);
  }));
};

const ofFrames = async (browser, root, shapes, patience, verdict, { page: name, figure, places, answers }) => {
  const faults = [];
  const expect = (holds, what) => { if (!holds) faults.push(what); };
  const page = await open(browser, patience, { viewport: shapes.phone, hasTouch: true, isMobile: true });
  hear(page, faults);
  await page.goto(addressOf(root, name), { waitUntil: 'load' });
  const drawn = await page.evaluate(standing);
  expect(drawn === 'false,true', `the drawing and the live piece stand there: ${drawn}`);

  const column = columnsOf(root, figure), found = await page.evaluate(answersAt, places ? column(places) : []);
  const theirs = found.map((one, frame) => (places ? column(`${answers}_${frame}`) : one.map((_, i) => column(`${answers} ${frame}_${i}`))));
  const all = theirs.flat(2), largest = Math.max(...all.map(Math.abs));
  const gaps = found.flat(2).map((value, i) => Math.abs(value - all[i]));
  expect(gaps.length === all.length && gaps.length > 100, `${gaps.length} numbers beside ${all.length} drawn ones`);
  const furthest = Math.max(...gaps) / largest;
  // Pictures have all their digits. A curve's places have the table's seven, half a thousandth of a year, which beside
  // the least width, a third of a year, moves a steep mean by that much of the largest.
  expect(furthest < (places ? 1e-3 : 1e-6), `the live numbers are off the drawn ones by ${furthest}`);

  const seen = () => page.evaluate(() => [document.querySelector('.play-said').textContent, ...[...document.querySelectorAll('.play-rows canvas')].map((canvas) => canvas.toDataURL()), document.querySelector('.play-curve')?.innerHTML].join());
  const settled = () => page.waitForFunction(() => !document.querySelector('.play-said').textContent.includes('settling,'));
  const range = page.locator('.play-length input');
  await settled();
  const start = await seen(), value = await range.inputValue();
  await range.focus();
  await page.keyboard.press('ArrowRight');
  await settled();
  const moved = await seen();
  expect(moved !== start && Number(await range.inputValue()) > Number(value), 'the arrow key does not move the width');
  const box = await range.boundingBox();
  await page.touchscreen.tap(box.x + 0.3 * box.width, box.y + box.height / 2);
  await settled();
  expect(await seen() !== moved, 'a finger does not move the width');
  for (const end of ['Home', 'End']) {
    await page.keyboard.press(end);
    await settled();
    expect(!/NaN|Infinity|undefined/.test(await page.innerHTML('div.playground')), `${end} shows what is no number`);
  }
  expect(await range.getAttribute('aria-valuetext'), 'the slider does not say its width');
  await page.emulateMedia({ media: 'print' });
  const printed = await page.evaluate(standing);
  expect(printed === 'true,false', `in print the drawing and the live piece stand there: ${printed}`);
  expect(await standsWithoutScripts(browser, addressOf(root, name), figure), 'without scripts there is no drawing');
  await page.context().close();
  verdict(`the live ${figure}`, faults);
};

export const live = async (browser, root, shapes, patience, verdict) => {
  const made = fs.readdirSync(path.join(root, 'book')).filter((file) => file.endsWith('.html') && fs.readFileSync(path.join(root, 'book', file), 'utf8').includes('class="playground"'));
  const looked = ['intro', ...FRAMES.map(({ page }) => page)].map((name) => `${name}.html`);
  verdict('pages with a live piece', made.sort().join() === looked.sort().join() ? [] : [`${made} have one, ${looked} are looked at`]);
  await ofTheFirstPage(browser, root, shapes, patience, verdict);
  for (const one of FRAMES) await ofFrames(browser, root, shapes, patience, verdict, one);
};
