// Search in the passages of the book, which stand in passages.js: no server is asked. All words must occur, each at the
// beginning of a word; a title weighs more than the text below it, and a rare word more than a frequent one.
(() => {
  const AT_ONCE = 40, AROUND = 110; // results that are shown; characters on either side of what was found
  const TITLE = 6, PAGE = 2; // how many times as much a word in a title weighs, and in the title of a page

  // Letters without their accents, and signs that are no letters as blanks; each stays one character, so that what is
  // found in the folded text stands at the same place in the text.
  const folded = (text) => [...text].map((sign) => {
    const plain = sign.normalize("NFD")[0].toLowerCase();
    return (/[\p{L}\p{N}_]/u.test(plain) ? plain : " ").padEnd(sign.length).slice(0, sign.length);
  }).join("");
  const wordsOf = (text) => [...new Set(folded(text).split(/\s+/).filter(Boolean))];

  const prepared = (book) => book.flatMap(({ page, title, passages }) => passages.map(([at, name, text], place) => ({
    page, at, text, place, chapter: title, title: name, folds: [name, text, title].map((one) => ` ${folded(one)}`),
  })));

  const count = (text, word) => {
    let found = 0;
    for (let at = text.indexOf(` ${word}`); at >= 0; at = text.indexOf(` ${word}`, at + 1)) found += 1;
    return found;
  };

  // A passage's weight for some words, or zero if one of them is missing. Many times says little more than some times.
  const weigh = (passage, words, rarity) => {
    let sum = 0;
    for (const [i, word] of words.entries()) {
      const [title, text, page] = passage.folds.map((fold) => count(fold, word));
      if (!(title + text) && !(page && passage.place === 0)) return 0;
      sum += rarity[i] * (TITLE * Math.min(title, 1) + PAGE * Math.min(page, 1) * (passage.place === 0) + Math.log1p(text));
    }
    return sum / Math.log(40 + passage.text.length); // a long passage has every word at some time
  };

  const search = (passages, query) => {
    const words = wordsOf(query);
    if (!words.length) return [];
    const rarity = words.map((word) => Math.log(1 + passages.length
      / (1 + passages.filter(({ folds }) => count(folds[0], word) + count(folds[1], word)).length)));
    return passages.map((passage) => ({ ...passage, weight: weigh(passage, words, rarity) }))
      .filter(({ weight }) => weight > 0).sort((a, b) => b.weight - a.weight);
  };

  // The text around the place where most of the words stand close together, and where in it they stand.
  const excerpt = ({ text, folds }, words) => {
    const places = [];
    for (const word of words) {
      for (let at = folds[1].indexOf(` ${word}`); at >= 0; at = folds[1].indexOf(` ${word}`, at + 1)) places.push([at, word.length]);
    }
    places.sort(([a], [b]) => a - b);
    const near = (at) => new Set(places.filter(([other]) => other >= at && other < at + 2 * AROUND)
      .map(([other, length]) => folds[1].slice(other + 1, other + 1 + length))).size;
    const [centre] = places.reduce((best, one) => (near(one[0]) > near(best[0]) ? one : best), places[0] ?? [0, 0]);
    const blank = (at, step) => { let end = at; while (end > 0 && end < text.length && text[end] !== " ") end += step; return end; };
    const from = blank(Math.max(0, centre - AROUND / 2), -1), to = blank(Math.min(text.length, centre + 2 * AROUND), 1);
    return { from, to, marks: places.filter(([at, length]) => at >= from && at + length <= to) };
  };

  globalThis.booksearch = { excerpt, folded, prepared, search, wordsOf };
  if (typeof document === "undefined") return;

  const element = (tag, text = "") => Object.assign(document.createElement(tag), { textContent: text });
  const marked = (passage, words) => {
    const { from, to, marks } = excerpt(passage, words), line = element("p");
    let at = from;
    line.append(from > 0 ? "… " : "");
    for (const [start, length] of marks) {
      if (start < at) continue;
      line.append(passage.text.slice(at, start), element("mark", passage.text.slice(start, start + length)));
      at = start + length;
    }
    line.append(passage.text.slice(at, to), to < passage.text.length ? " …" : "");
    return line;
  };

  addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("form.book-search");
    if (!form || !globalThis.passages) return;
    const passages = prepared(globalThis.passages), list = document.getElementById("search-results");
    const show = () => {
      const words = wordsOf(form.q.value), found = search(passages, form.q.value);
      document.getElementById("search-summary").textContent = !words.length ? "" : found.length
        ? `${found.length} ${found.length === 1 ? "place" : "places"}${found.length > AT_ONCE ? `, the first ${AT_ONCE} of them` : ""}`
        : "No place in the book has all of these words.";
      list.replaceChildren(...found.slice(0, AT_ONCE).map((passage) => {
        const item = element("li"), link = element("a", passage.title || passage.text.slice(0, 60));
        link.href = `${passage.page}#${passage.at}`;
        const head = element("p");
        head.append(link);
        if (passage.place > 0) head.append(element("span", ` in ${passage.chapter}`));
        item.append(head, marked(passage, words));
        return item;
      }));
      globalThis.MathJax?.typesetPromise?.([list]);
    };
    form.q.value = new URLSearchParams(location.search).get("q") ?? "";
    form.addEventListener("input", show);
    form.q.focus();
    show();
  });
})();
