// What axe-core says of a page as it stands open, everything that can be opened standing open.
import fs from 'fs';

const axe = fs.readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
// Only these see a theme; what else axe looks for is the same in both.
const COLOURS = ['color-contrast', 'link-in-text-block'];

// Open what is folded, and take out what is many times the same: the inside of a formula, but of the first in a line and
// the first on a line of its own, and of a block of code all but the first word of each kind. A page of the API has
// sixty thousand elements otherwise, and axe takes minutes for it. A word that is more than its class stays.
const prepare = () => {
  // What fades from one theme to the other has for a while the colours of neither.
  document.head.insertAdjacentHTML('beforeend', '<style>*, ::before, ::after { transition: none !important; animation: none !important; }</style>');
  document.querySelectorAll('details').forEach((box) => { box.open = true; });
  document.querySelectorAll('.toggle-hidden').forEach((box) => box.classList.remove('toggle-hidden'));
  const kinds = new Set();
  const formulas = [...document.querySelectorAll('mjx-container')].filter((formula) => {
    const { width } = formula.getBoundingClientRect();
    const kind = formula.hasAttribute('display');
    const first = width > 0 && !kinds.has(kind);
    if (first) kinds.add(kind);
    return !first;
  });
  // All are measured before the first is changed: the page is laid out once and not once a formula.
  const sizes = formulas.map((formula) => formula.getBoundingClientRect());
  formulas.forEach((formula, i) => {
    const display = formula.hasAttribute('display') ? 'block' : 'inline-block';
    // Two letters, one at each end: a line that is wider than its place has something there.
    Object.assign(formula.style, { width: `${sizes[i].width}px`, height: `${sizes[i].height}px`, display, flex: 'none', whiteSpace: 'nowrap', textAlignLast: 'justify' });
    formula.textContent = 'x x';
  });
  for (const block of document.querySelectorAll('div.highlight pre, dt.sig, code')) {
    const seen = new Set();
    for (const word of block.querySelectorAll('span, em')) {
      const plain = [...word.attributes].every(({ name }) => name === 'class');
      if (!plain || word.querySelector('a') || word.closest('a')) continue;
      if (seen.has(word.className)) word.replaceWith(...word.childNodes); else seen.add(word.className);
    }
  }
};

// What is many times alike is looked at once a kind. A kind is all that a rule may ask of an element but its very words:
// its tag, classes and attributes, whether they say something and lead somewhere, whether it has words and scrolls, the
// colours, sizes and grounds, and all that of what it stands in, up to the page's root.
const kindsOf = () => {
  const numbers = new Map(), kinds = new Map();
  const POINTS = ['for', 'headers', 'aria-labelledby', 'aria-describedby', 'aria-controls', 'aria-owns', 'aria-details'];
  const WORDS = ['id', 'class', 'style', 'href', 'src', 'title', 'alt', 'aria-label', 'width', 'height', 'value', 'name'];
  const told = ({ name, value }) => {
    if (POINTS.includes(name)) return `${name}=${value.split(/\s+/).every((id) => document.getElementById(id))}`;
    return WORDS.includes(name) || name.startsWith('data-') ? `${name}=${value.trim() !== ''}` : `${name}=${value}`;
  };
  const kindOf = (node) => {
    if (!node) return 0;
    if (!kinds.has(node)) {
      const { color, fill, backgroundColor, backgroundImage, opacity, filter, fontSize, fontWeight, textShadow } = getComputedStyle(node);
      const name = [kindOf(node.parentElement), node.localName, node.getAttribute('class'), [...node.style ?? []], [...node.attributes].map(told).sort(),
        [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()), node.scrollWidth > node.clientWidth + 13,
        color, fill, backgroundColor, backgroundImage, opacity, filter, fontSize, fontWeight, textShadow].join(' ');
      if (!numbers.has(name)) numbers.set(name, numbers.size + 1);
      kinds.set(node, numbers.get(name));
    }
    return kinds.get(node);
  };
  return kindOf;
};

// A claim of the ledger and a name of the API, of which there are hundreds, is emptied where all that stands in it has
// been seen in one before: it stays where it is, so that no other changes its place. The innermost come first.
const thin = () => {
  const kindOf = kindsOf(), seen = new Set(), kept = new Set();
  const boxes = [...document.querySelectorAll('details.ledger-item, dl.py')];
  const inner = new Map(boxes.map((box) => [box, [...box.querySelectorAll('*')]]));
  boxes.forEach((box) => inner.get(box).forEach(kindOf));
  for (const box of boxes.sort((one, other) => inner.get(one).length - inner.get(other).length)) {
    const fresh = inner.get(box).filter((node) => node.isConnected && !seen.has(kindOf(node)));
    if (fresh.length || inner.get(box).some((node) => kept.has(node))) {
      kept.add(box);
      fresh.forEach((node) => seen.add(kindOf(node)));
    } else box.replaceChildren();
  }
};

// Colours are asked for of the first element of each kind, which `data-look` marks.
const mark = () => {
  document.querySelectorAll('[data-look]').forEach((node) => node.removeAttribute('data-look'));
  const kindOf = kindsOf(), seen = new Set();
  for (const node of document.body.querySelectorAll('*')) {
    const speaks = node.matches('a[href], input, select, textarea') || [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!speaks || !node.getClientRects().length || seen.has(kindOf(node))) continue;
    seen.add(kindOf(node));
    node.setAttribute('data-look', '');
  }
};

const run = async ([colours, only, place]) => {
  axe.configure({
    // No text of each element that is looked at, which for a page's root is the page: what is at fault says its own.
    noHtml: true,
    rules: [{ id: 'color-contrast', selector: '[data-look]' }, { id: 'link-in-text-block', selector: 'a[href][data-look]' }],
    // A single letter, or a bracket in code, has a colour too.
    checks: [{ id: 'color-contrast', options: { ...axe._audit.checks['color-contrast'].options, ignoreLength: true } }],
  });
  const options = { resultTypes: ['violations'], preload: false, selectors: false, elementRef: true };
  if (only) options.runOnly = colours;
  const { violations, incomplete, passes } = await axe.run(place ? { include: place } : document, options);
  const faults = violations.flatMap(({ id, nodes }) => nodes.map(({ element, any, all, none }) => {
    const where = [];
    for (let node = element; node && where.length < 3; node = node.parentElement) where.unshift(node.id ? `#${node.id}` : [node.localName, ...node.classList].join('.'));
    return `${id}: ${[...any, ...all, ...none][0]?.message ?? ''} ${where.join(' > ')} ${element.outerHTML.replace(' data-look=""', '').slice(0, 120)}`;
  }));
  // A rule that stumbles, or a page of which nothing was asked, is no page without a fault.
  faults.push(...incomplete.filter(({ error }) => error).map(({ id, error }) => `${id} cannot be asked: ${error.message}`));
  if (!passes.length && !violations.length) faults.push('axe has looked at nothing');
  return faults;
};

// Makes ready the page that is open; `look` may then be called for each width and theme in which it is shown.
export const unfold = async (page) => {
  await page.evaluate(axe);
  await page.evaluate(prepare);
  await page.evaluate(`{ const kindsOf = ${kindsOf}; (${thin})(); }`);
  // Two frames later the page's own script has looked at what was opened.
  await page.evaluate(() => new Promise((ready) => { requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(ready))); }));
  await page.evaluate(() => window.MathJax?.startup?.promise);
};

// The faults of the page, or of the `place` of it that a selector names; with `only` those of colours.
export const look = async (page, { only = false, place = null } = {}) => {
  await page.evaluate(`{ const kindsOf = ${kindsOf}; (${mark})(); }`);
  return page.evaluate(run, [COLOURS, only, place]);
};
