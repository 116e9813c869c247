// Figures follow the theme, sequences get a slider, and claims are marked. No library, no network.
(() => {
  const root = document.documentElement;
  const drawings = new URL("../figures/", document.currentScript.src).href;
  const dark = () => root.dataset.theme === "dark";

  const source = (name) => `${drawings}${name}.${dark() ? "dark" : "light"}.svg`;
  const themed = () => document.querySelectorAll("img.themed").forEach((image) => {
    image.src = source(image.dataset.frame === undefined ? image.dataset.name : `${image.dataset.name}.${image.dataset.frame}`);
  });

  const adopt = () => document.querySelectorAll('img[src*=".light.svg"]').forEach((image) => {
    image.dataset.name = image.getAttribute("src").split("/").pop().replace(".light.svg", "");
    image.classList.add("themed");
  });

  const slider = (script) => {
    const { name, labels, still } = JSON.parse(script.textContent);
    const image = document.querySelector(`img.themed[data-name="${name}"]`);
    if (!image) return;
    const bar = document.createElement("div");
    bar.className = "frame-bar";
    bar.innerHTML = '<button type="button" aria-pressed="false">Play</button>'
      + '<input type="range" min="0" step="1" aria-label="frame"><output></output>';
    const [button, range, output] = bar.children;
    range.max = labels.length - 1;
    range.value = still;
    const show = () => {
      image.dataset.frame = range.value;
      output.textContent = labels[range.value];
      range.setAttribute("aria-valuetext", labels[range.value]);
      image.src = source(`${name}.${range.value}`);
    };
    let timer = null;
    const stop = () => { clearInterval(timer); timer = null; button.textContent = "Play"; button.setAttribute("aria-pressed", "false"); };
    range.addEventListener("input", () => { if (timer) stop(); show(); });
    button.addEventListener("click", () => {
      if (timer) { stop(); return; }
      button.textContent = "Pause";
      button.setAttribute("aria-pressed", "true");
      timer = setInterval(() => { range.value = (Number(range.value) + 1) % labels.length; show(); }, 700);
    });
    image.after(bar);
    show();
  };

  document.addEventListener("DOMContentLoaded", () => {
    adopt();
    document.querySelectorAll("script.frames").forEach(slider);
    themed();
    document.querySelectorAll("div.output.stream").forEach((box) => {
      if (/^[A-N]\d+ holds:/.test(box.textContent.trim())) box.classList.add("claim");
    });
    new MutationObserver(themed).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  });
})();
