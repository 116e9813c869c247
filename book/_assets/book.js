// Figures follow the theme and the width, sequences get a slider, the ledger is filtered. No library, no network.
(() => {
  const root = document.documentElement;
  const drawings = new URL("../figures/", document.currentScript.src).href;
  const phone = matchMedia("(max-width: 600px)");

  const nameOf = (address) => address.slice(address.lastIndexOf("/") + 1);

  // A figure's file: its name, the frame if it has some, the variant for a phone, the theme.
  const show = (image) => {
    const { name, frame } = image.dataset;
    const drawn = frame === undefined ? name : `${name}.${frame}`;
    const width = phone.matches ? ".narrow" : "";
    const file = `${drawings}${drawn}${width}.${root.dataset.theme === "dark" ? "dark" : "light"}.svg`;
    // The page itself names the same drawing in another folder: that is not fetched twice.
    if (nameOf(image.src) !== nameOf(file)) image.src = file;
    forPaper(image, `${drawings}${drawn}.light.svg`, file);
  };

  // On paper stands the light drawing of full width. Who prints from a dark page or a phone has it at hand, since no
  // picture is fetched once a page is being printed.
  const forPaper = (image, paper, shown) => {
    let copy = image.nextElementSibling?.classList.contains("for-print") ? image.nextElementSibling : null;
    if (paper !== shown && !copy) {
      copy = new Image();
      copy.className = "for-print";
      copy.alt = image.alt;
      copy.loading = image.loading; // of a late one, its copy too: a browser that prints fetches what is still to come
      image.after(copy);
    }
    if (paper === shown) copy?.remove();
    else if (copy.src !== paper) copy.src = paper;
    image.classList.toggle("has-print", paper !== shown);
  };
  const showAll = () => document.querySelectorAll("img.themed").forEach(show);

  const adopt = () => document.querySelectorAll('img[src*=".light.svg"]').forEach((image) => {
    image.dataset.name = nameOf(image.src).replace(".light.svg", "");
    image.classList.add("themed");
  });

  // Ink on paper is dark, whatever the screen's theme; what it was comes back.
  const printing = () => {
    if (root.dataset.theme === "light") return;
    root.dataset.onScreen = root.dataset.theme;
    root.dataset.theme = "light";
  };
  const printed = () => {
    if (!root.dataset.onScreen) return;
    root.dataset.theme = root.dataset.onScreen;
    delete root.dataset.onScreen;
  };

  // What is wider than its place is a tab stop, so that the keys can scroll it; nothing else of its kind is one.
  const WIDE = { ".pst-scrollable-table-container, div.output.text_html": "Table", "div.math": "Formula", ".bd-article pre": "Code" };
  const reach = () => {
    const found = Object.entries(WIDE).flatMap(([kind, name]) => [...document.querySelectorAll(kind)].map((box) => (
      [box, name, box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(box).overflowX)])));
    for (const [box, name, scrolls] of found) {
      if (scrolls === (box.tabIndex === 0)) continue;
      if (scrolls) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", `${name}, scrolls sideways`);
      } else for (const attribute of ["tabindex", "role", "aria-label"]) box.removeAttribute(attribute);
    }
  };

  // Once a frame, however many boxes are opened in it.
  let waiting = 0;
  const reachSoon = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(reach);
  };

  // Three quarters of the ledger's formulas are folded away: they are set when their claim is opened.
  const FOLDED = "details.ledger-item:not([open]) > :not(summary)";
  const unset = () => [...document.querySelectorAll(".math")].filter((formula) => (
    !formula.querySelector("mjx-container") && !formula.closest(FOLDED)));
  if (window.MathJax) {
    window.MathJax.startup = {
      pageReady: () => {
        const { startup, typesetPromise } = window.MathJax;
        return document.querySelector(FOLDED) ? typesetPromise(unset()) : startup.defaultPageReady();
      },
    };
  }
  // All that were opened in a frame at once, after what is being set already.
  let opened = false;
  const setOpened = ({ target }) => {
    const ready = window.MathJax?.startup?.promise;
    if (opened || !ready || !target.matches("details.ledger-item[open]")) return;
    opened = true;
    window.MathJax.startup.promise = ready.then(() => new Promise(requestAnimationFrame)).then(() => {
      opened = false;
      const formulas = unset();
      return formulas.length ? window.MathJax.typesetPromise(formulas).then(reachSoon) : undefined;
    });
  };

  // What stands side by side on a desktop stands one above the other on a phone, and the caption's words follow it.
  const STACKED = { Left: "Above", Right: "Below" };
  const sides = document.createElement("template");
  const markSides = () => document.querySelectorAll("figure.stacked .caption-text").forEach((caption) => {
    const texts = document.createTreeWalker(caption, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) found.push(texts.currentNode);
    for (const text of found.filter((one) => !one.parentElement.closest("mjx-container, .math"))) {
      const marked = text.data.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)
        .replace(/\b(Left|Right)(?=[:,])/g, '<span class="side" data-side="$1">$1</span>');
      sides.innerHTML = marked;
      text.replaceWith(sides.content.cloneNode(true));
    }
  });
  const nameSides = () => document.querySelectorAll(".side").forEach((word) => {
    word.textContent = phone.matches ? STACKED[word.dataset.side] : word.dataset.side;
  });

  const slider = (script) => {
    const { name, labels, still, moves } = JSON.parse(script.textContent);
    const image = document.querySelector(`img.themed[data-name="${name}"]`);
    if (!image) return;
    const bar = document.createElement("div");
    bar.className = "frame-bar";
    bar.innerHTML = '<button type="button" aria-pressed="false">Play</button>'
      + '<input type="range" min="0" step="1"><output></output>';
    const [button, range, output] = bar.children;
    range.setAttribute("aria-label", moves);
    range.max = labels.length - 1;
    range.value = still;
    output.dataset.of = labels.length; // said on paper
    const move = () => {
      image.dataset.frame = range.value;
      output.textContent = labels[range.value];
      range.setAttribute("aria-valuetext", labels[range.value]);
      show(image);
    };
    let timer = null;
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
      button.setAttribute("aria-pressed", "false");
    };
    const step = () => {
      range.value = (Number(range.value) + 1) % labels.length;
      move();
    };
    range.addEventListener("input", () => { if (timer) stop(); move(); });
    button.addEventListener("click", () => {
      if (timer) { stop(); return; }
      button.textContent = "Pause";
      button.setAttribute("aria-pressed", "true");
      timer = setInterval(step, 700);
    });
    image.after(bar);
    move();
  };

  // The ledger: what does not match the words or the kinds is hidden; an address that names a claim opens it.
  const ledger = (form) => {
    const search = form.querySelector('input[type="search"]');
    const boxes = [...form.querySelectorAll('input[type="checkbox"]')];
    const items = [...document.querySelectorAll("details.ledger-item")];
    // Without what MathJax adds, the text as it was written; and without other claims that are named beside it.
    const texts = items.map((item) => {
      const own = item.cloneNode(true);
      own.querySelectorAll(".claim-near").forEach((other) => other.remove());
      return own.textContent.toLowerCase();
    });
    const narrow = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const kinds = boxes.filter((box) => box.checked).map((box) => box.value);
      let count = 0;
      items.forEach((item, i) => {
        const fits = words.every((word) => texts[i].includes(word))
          && (!kinds.length || kinds.some((kind) => item.dataset.kinds.split("|").includes(kind)));
        item.hidden = !fits;
        count += fits;
      });
      document.querySelectorAll(".ledger-chapter").forEach((chapter) => {
        chapter.hidden = !chapter.querySelector("details.ledger-item:not([hidden])");
      });
      form.querySelector("output").textContent = `${count} of ${items.length} claims`;
    };
    form.hidden = false;
    form.addEventListener("input", narrow);
    form.addEventListener("submit", (event) => event.preventDefault());
    const open = () => {
      const item = location.hash.startsWith("#ledger-") && document.getElementById(location.hash.slice(1));
      if (item) { item.open = true; item.scrollIntoView(); }
    };
    addEventListener("hashchange", open);
    open();
  };

  document.addEventListener("DOMContentLoaded", () => {
    adopt();
    document.querySelectorAll("script.frames").forEach(slider);
    document.querySelectorAll("form.ledger-filter").forEach(ledger);
    markSides();
    nameSides();
    showAll();
    phone.addEventListener("change", () => { nameSides(); showAll(); });
    new MutationObserver(() => {
      if (!root.dataset.onScreen) showAll();
    }).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
    addEventListener("beforeprint", printing);
    addEventListener("afterprint", printed);
    matchMedia("print").addEventListener("change", ({ matches }) => (matches ? printing() : printed()));
    addEventListener("resize", reachSoon);
    document.addEventListener("toggle", reachSoon, true);
    document.addEventListener("toggle", setOpened, true);
    addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reach));
  });
})();
