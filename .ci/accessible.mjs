// What axe-core says of a page, at both widths and in both themes, everything that can be opened standing open.
import fs from 'fs';

const axe = fs.readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const COLOURS = ['color-contrast', 'link-in-text-block'];

// Open what is folded, and take out what is many times the same: the inside of a formula, whose colour is that of the
// text around it, and of a block of code all but the first word of each kind. A page of the API has forty thousand
// elements otherwise, and axe takes minutes for it.
const prepare = () => {
  document.querySelectorAll('details').forEach((box) => { box.open = true; });
  document.querySelectorAll('.toggle-hidden').forEach((box) => box.classList.remove('toggle-hidden'));
  for (const formula of document.querySelectorAll('mjx-container')) {
    const { width, height } = formula.getBoundingClientRect();
    Object.assign(formula.style, { width: `${width}px`, height: `${height}px`, display: formula.hasAttribute('display') ? 'block' : 'inline-block' });
    formula.textContent = 'x';
  }
  for (const block of document.querySelectorAll('div.highlight pre, dt.sig, code')) {
    const seen = new Set();
    for (const word of block.querySelectorAll('span, em')) {
      if (word.querySelector('a') || word.closest('a')) continue;
      if (seen.has(word.className)) word.replaceWith(...word.childNodes); else seen.add(word.className);
    }
  }
};

// A colour is asked for once of all elements that have the same tags and classes from the page's root down.
const alike = () => {
  const found = new Map(), names = new Map();
  const nameOf = (node) => {
    if (!node.parentElement) return '';
    if (!names.has(node)) names.set(node, `${nameOf(node.parentElement)}>${node.tagName}.${node.className.baseVal ?? node.className}`);
    return names.get(node);
  };
  for (const node of document.body.querySelectorAll('*')) {
    const seen = node.getClientRects().length && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (seen && !found.has(nameOf(node))) found.set(nameOf(node), node);
  }
  return [...found.values()];
};

const run = async ([rules, others, sample]) => {
  const options = { resultTypes: ['violations'], preload: false };
  if (rules) options.runOnly = rules;
  if (others) options.rules = Object.fromEntries(others.map((rule) => [rule, { enabled: false }]));
  const context = sample ? { include: eval(sample)() } : document;
  const { violations } = await axe.run(context, options);
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, html, any, all, none }) => (
    `${id}: ${[...any, ...all, ...none][0]?.message ?? ''} ${target.join(' ')} ${html.slice(0, 120)}`)));
};

// Calls `tell(shape, theme, faults)` for each width and theme of the page that is open.
export const accessible = async (page, shapes, tell) => {
  await page.evaluate(axe);
  await page.evaluate(prepare);
  for (const [shape, viewport] of Object.entries(shapes)) {
    await page.setViewportSize(viewport);
    const faults = await page.evaluate(run, [null, COLOURS, null]);
    for (const theme of ['light', 'dark']) {
      await page.evaluate((name) => { document.documentElement.dataset.theme = name; }, theme);
      faults.push(...await page.evaluate(run, [COLOURS, null, alike.toString()]));
      tell(shape, theme, faults.splice(0));
    }
  }
};
