// Faults that are planted in a page, each of which axe must find where it shows and nowhere else: what says that a run
// without faults has looked. Each is a rule, the states in which it shows, the place at whose end it is put, and the
// piece, whose `ID` becomes the mark by which it is known in what axe says.
const ALWAYS = ['desktop light', 'desktop dark', 'phone light', 'phone dark'];
const LIGHT = ['desktop light', 'phone light'];
const DARK = ['desktop dark', 'phone dark'];

const CHAPTER = [
  ['image-alt', LIGHT, 'article', '<img ID src="../_static/logo.svg">'],
  ['link-name', LIGHT, 'article p', '<a ID href="#planted"></a>'],
  ['heading-order', LIGHT, 'article section section', '<h6 ID>words</h6>'],
  ['aria-hidden-focus', LIGHT, 'article', '<div ID aria-hidden="true"><button type="button">words</button></div>'],
  ['aria-roles', LIGHT, 'article', '<div ID role="buton">words</div>'],
  ['list', LIGHT, 'article', '<ul ID><div>words</div></ul>'],
  ['label', LIGHT, 'article', '<input ID>'],
  ['empty-table-header', LIGHT, 'article', '<table><tbody><tr><th ID></th><td>words</td></tr></tbody></table>'],
  ['region', LIGHT, 'body', '<p ID>words</p>'],
  // Of one theme.
  ['color-contrast', DARK, 'article', '<p ID style="color: #555">words</p>'],
  ['color-contrast', LIGHT, 'article', '<p ID style="color: #ccc">words</p>'],
  ['link-in-text-block', LIGHT, 'article', '<p>A sentence in which <a ID href="#x" style="color: #333; text-decoration: none">this</a> is a link.</p>'],
  // Of one width.
  ['image-alt', ['phone light'], 'article', '<p class="planted-phone"><img ID src="../_static/logo.svg"></p>'],
  ['color-contrast', ['phone light'], 'article', '<p ID class="planted-pale">words</p>'],
  ['scrollable-region-focusable', ['phone light'], 'article', '<div ID style="overflow-x: auto"><p style="width: 600px; text-align: right">words</p></div>'],
  ['label', ['desktop light'], 'article', '<p class="planted-desktop"><input ID></p>'],
  // In what is folded, twice too, in code, in a card, in a row that differs from others alike by its ground.
  ['button-name', LIGHT, 'details.page-box', '<button ID type="button"></button>'],
  ['select-name', LIGHT, 'article', '<details><summary>words</summary><details><summary>words</summary><select ID></select></details></details>'],
  ['color-contrast', ALWAYS, 'div.highlight:not(details *) pre', '<span class="n">words</span><span ID class="n" style="color: #777; background: #888">words</span>'],
  ['color-contrast', ALWAYS, 'div.highlight:not(details *) pre', '<span ID class="planted-grey">words</span>'],
  ['color-contrast', ALWAYS, '.claim-card', '<p class="claim-sentence" ID style="color: #777; background: #888">words</p>'],
  ['aria-valid-attr-value', LIGHT, '.claim-card', '<p ID aria-hidden="perhaps">words</p>'],
  ['color-contrast', ALWAYS, 'article', `<table class="planted-rows"><tbody>${'<tr><td>words</td></tr>'.repeat(3)}<tr><td ID>words</td></tr>${'<tr><td>words</td></tr>'.repeat(2)}</tbody></table>`],
];

const LEDGER = [
  ['color-contrast', ALWAYS, 'details.ledger-item:last-of-type > summary', '<span ID class="claim-kind" style="color: #777; background: #888">words</span>'],
  ['image-alt', LIGHT, 'details.ledger-item:last-of-type .claim-card', '<img ID src="../_static/logo.svg">'],
];

const STYLE = `@media (max-width: 600px) { .planted-pale { color: #ddd; } .planted-desktop { display: none; } }
  @media (min-width: 601px) { .planted-phone { display: none; } }
  .planted-grey { color: #777 !important; background: #888; }
  .planted-rows tr:nth-child(4) td { color: #777; background: #888; }`;

export const PLANTED = { chapter: CHAPTER, ledger: LEDGER };

const put = ([pieces, style]) => {
  document.head.insertAdjacentHTML('beforeend', `<style>${style}</style>`);
  // A ledger of three items has all that one of hundreds has.
  document.querySelectorAll('.ledger-item:nth-of-type(n+4)').forEach((item) => item.remove());
  return pieces.flatMap(([place, piece], i) => {
    const found = document.querySelector(place);
    found?.insertAdjacentHTML('beforeend', piece.replace('ID', `data-planted="${i}"`));
    return found ? [] : [`nothing on the page is ${place}`];
  });
};

// Plants the faults in the page that is open, and says which places it lacks.
export const plant = (page, faults) => page.evaluate(put, [faults.map(([, , place, piece]) => [place, piece]), STYLE]);

// What of the planted is not found in a state, or found where it does not show.
export const missed = (faults, state, said) => faults.flatMap(([rule, states, place, piece], i) => {
  const found = said.some((fault) => fault.startsWith(`${rule}:`) && fault.includes(`data-planted="${i}"`));
  return found === states.includes(state) ? [] : [`${rule} is ${found ? '' : 'not '}found in ${place}: ${piece}`];
});
