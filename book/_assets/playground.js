// The live local mean: points, a target that is dragged, and what stands there when near keys count; or pictures, and
// what answers them as the width moves.
//
// It takes the place of a figure's drawing, which stays for print and for who runs no scripts. localmean.js computes;
// of d3 it takes joins of data with marks, drags by mouse and touch, axes and round ticks. The data stand in the page.
(() => {
  const { album, climb, compact, line, mean, mode, names, quantile, size, vote, weights } = globalThis.localmean;
  const d3 = globalThis.d3;
  const CURVE = 321, FIELD = [38, 24], ARROWS = [22, 13]; // places at which a curve, a field, a flow are computed
  const NEAR = 32; // pixels from the target within which a finger takes hold of it; elsewhere it scrolls the page
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // What is computed at the target: the words for it, the chapter that says more, the call that gives the same number.
  const ANSWERS = {
    mean: {
      formula: "Σ K yᵢ / Σ K, the mean of what is near.", page: "means.html", title: "Local means",
      call: (at, kernel) => `lm.local_mean(${at}, keys, values, kernel=${kernel})`,
    },
    quantile: {
      formula: "The least y at or below which the share q of the weight lies.", page: "means.html", title: "Local means",
      call: (at, kernel, state) => `lm.local_quantile(${at}, keys, values, ${state.level}, kernel=${kernel})`,
    },
    mode: {
      formula: "The y where the weight is densest.", page: "means.html", title: "Local means",
      call: (at, kernel, state, plane) => `lm.local_mode(${at}, keys, values, kernel=${kernel}${
        plane ? "" : `, value_kernel=Gaussian(${state.bump})`})`,
    },
    line: {
      formula: "A straight line, fitted anew around every target and read there.", page: "trick.html",
      title: "The localization trick",
      call: (at, kernel) => `lm.local_polynomial(${at}, keys, values, kernel=${kernel}).value`,
    },
    climb: {
      formula: "x* ← Σ K xᵢ / Σ K, again and again: the target moves to its own mean.", page: "meanshift.html",
      title: "Mean shift", call: (at, kernel) => `lm.meanshift.climb(${at}, keys, kernel=${kernel}).points`,
    },
    attend: {
      formula: "K = exp(q·k/τ), a softmax of inner products;", page: "transformer.html",
      title: "The Transformer",
      call: (at, kernel) => `lm.local_mean(lift(${at}), lift(keys), values, kernel=${kernel})`,
    },
  };

  // Attention compares by inner products. A line is laid on a half circle, where all keys have one norm, so that the
  // largest product is the nearest key's; in the plane keys and target are counted from the keys' mean.
  const prepared = (data) => {
    const plane = data.features.length === 2;
    const [low, high] = data.features[0].domain;
    const centre = data.features.map((_, j) => d3.mean(data.keys, (key) => key[j]));
    const lift = plane ? (place) => place.map((value, j) => value - centre[j]) : ([x]) => {
      const angle = Math.PI * ((x - low) / (high - low) - 0.5);
      return [Math.cos(angle), Math.sin(angle)];
    };
    const lifts = plane ? "lift counts keys and target from the keys' mean."
      : "lift lays x on a half circle, where all keys have one norm.";
    return { ...data, plane, lift, lifts, lifted: data.keys.map(lift) };
  };

  const digits = (value, count = 3) => Number(value.toPrecision(count));
  const withUnit = (text, unit = "") => `${text}${unit && (/^\d/.test(unit) ? ` · ${unit}` : ` ${unit}`)}`;
  const written = (value, { decimals, unit }) => withUnit(value.toFixed(decimals), unit);
  const clipped = (value, [low, high]) => Math.min(Math.max(value, low), high);
  const steps = ([low, high], count) => d3.range(count).map((i) => low + (high - low) * (i / (count - 1)));

  // A straight scale, as an axis of d3 asks for it.
  const straight = (domain, range) => {
    const share = (range[1] - range[0]) / (domain[1] - domain[0]);
    const scale = (value) => range[0] + (value - domain[0]) * share;
    return Object.assign(scale, {
      copy: () => scale, domain: () => domain, invert: (pixel) => domain[0] + (pixel - range[0]) / share,
      range: () => range, ticks: (count) => d3.ticks(...domain, count),
    });
  };

  // A circle, or a diamond of the same area for the second label.
  const mark = (label, r) => {
    const a = r * Math.sqrt(Math.PI / 2);
    return label === 1 ? `M0,${-a}L${a},0L0,${a}L${-a},0Z`
      : `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`;
  };
  const pathOf = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)},${y.toFixed(2)}`).join("");

  // A slider whose steps are equal factors, from the least to the greatest of `ends`.
  const geometric = ([low, high]) => ({
    at: (step) => digits(low * (high / low) ** (step / 200)),
    step: (value) => Math.round((200 * Math.log(value / low)) / Math.log(high / low)),
  });

  const CONTROLS = `
    <div class="play-answers" role="radiogroup" aria-label="What is computed at the target"></div>
    <svg class="play-plot" role="group"></svg>
    <p class="play-said"></p>
    <div class="play-controls">
      <label class="play-data">data <select></select></label>
      <label class="play-kernel">kernel <select></select></label>
      <button type="button" class="play-sweep" aria-pressed="false">Sweep</button>
      <label class="play-length"><span></span> <input type="range" min="0" max="200"> <output></output></label>
      <label class="play-second"><span></span> <input type="range" min="0" max="200"> <output></output></label>
    </div>
    <p class="play-call"><code></code></p>`;

  // The box in the place of a figure's drawing, or null where there is no such figure.
  const boxOf = (figure, label, content) => {
    const image = document.querySelector(`img.themed[data-name="${figure}"]`);
    if (!image) return null;
    const box = document.createElement("div");
    box.className = "playground";
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", label);
    box.innerHTML = content;
    image.before(box);
    image.closest("figure")?.classList.add("is-live");
    return box;
  };

  const livePoints = (spec) => {
    const box = boxOf(spec.figure, "A live local mean", CONTROLS);
    if (!box) return;
    const find = (selector) => box.querySelector(selector);
    const sets = spec.data.map(prepared);
    let data, state, plot, visited, sweeping = null;

    const kernelOf = () => (state.answer === "attend" ? { name: "Exponential", length: state.temperature }
      : { name: state.kernel, length: state.length });
    const weigh = (place, keys = data.keys) => (state.answer === "attend"
      ? weights(kernelOf(), data.lift(place), keys === data.keys ? data.lifted : keys.map(data.lift))
      : weights(kernelOf(), place, keys));
    const answer = (place, weight, quick) => {
      if (state.answer === "quantile") return quantile(weight, data.values, state.level);
      if (state.answer === "mode" && data.plane) return vote(weight, data.values);
      if (state.answer === "mode") return mode(weight, data.values, state.bump, quick ? { step: 1e-6 } : {});
      if (state.answer === "line") return line(weight, place, data.keys, data.values).value;
      return mean(weight, data.values);
    };

    // The frame: sizes, scales, axes, and an empty group for each kind of mark, from back to front.
    const frame = () => {
      const width = Math.max(find(".play-plot").parentNode.clientWidth, 240);
      const height = Math.round(clipped(width * (data.plane ? 0.5 : 0.42), [230, 350]));
      const [left, right, top, bottom] = [data.plane ? 38 : 52, 14, 10, 40];
      const [across, up] = data.plane ? data.features : [data.features[0], data.value];
      const svg = d3.select(find(".play-plot")).attr("viewBox", `0 0 ${width} ${height}`).attr("height", height);
      svg.attr("aria-label", data.title).selectAll("*").remove();
      plot = { svg, height, width, x: straight(across.domain, [left, width - right]),
        y: straight(up.domain, [height - bottom, top]) };
      const axes = svg.append("g").attr("class", "play-axes").attr("aria-hidden", "true");
      axes.append("g").attr("transform", `translate(0,${height - bottom})`)
        .call(d3.axisBottom(plot.x).ticks(width / 90).tickSizeOuter(0));
      axes.append("g").attr("transform", `translate(${left},0)`)
        .call(d3.axisLeft(plot.y).ticks(height / 60).tickSizeOuter(0));
      const named = ({ name, unit }) => `${name}${unit ? ` in ${unit}` : ""}`;
      axes.append("text").attr("class", "play-name").attr("x", width - right).attr("y", height - 5)
        .attr("text-anchor", "end").text(named(across));
      axes.append("text").attr("class", "play-name").attr("x", left + 6).attr("y", top + 8).text(named(up));
      svg.append("clipPath").attr("id", `${spec.figure}-inside`).append("rect").attr("x", left).attr("y", top - 6)
        .attr("width", width - left - right + 6).attr("height", height - top - bottom + 6);
      const inside = svg.append("g").attr("clip-path", `url(#${spec.figure}-inside)`).attr("aria-hidden", "true");
      for (const name of ["field", "near", "points", "curve", "trace", "extra"]) {
        plot[name] = inside.append("g").attr("class", `play-${name}`);
      }
      plot.target = svg.append("g").attr("class", "play-target").attr("tabindex", 0).attr("role", "slider")
        .on("keydown", (event) => onKey(event));
      plot.target.append("path").attr("class", "play-guide");
      plot.target.append("circle").attr("class", "play-ring").attr("r", 13);
      plot.target.append("circle").attr("class", "play-grip").attr("r", 8);
      plot.found = svg.append("g").attr("class", "play-found").attr("aria-hidden", "true");
      plot.found.append("path");
      plot.found.append("text").attr("dy", "0.35em");
      svg.on("click", (event) => moveTo(d3.pointer(event, svg.node())));
      svg.call(d3.drag().filter((event) => !event.button && (!event.touches || holds(event)))
        .on("start drag", (event) => { stop(); moveTo([event.x, event.y]); }));
      svg.style("touch-action", null); // d3 forbids all of them: a finger that holds no target shall scroll
    };
    const holds = (event) => {
      const [[x, y]] = d3.pointers(event, plot.svg.node());
      const [a, b] = seat();
      return Math.abs(x - a) < NEAR && (!data.plane || Math.abs(y - b) < NEAR);
    };
    const seat = () => [plot.x(state.target[0]), data.plane ? plot.y(state.target[1]) : plot.y.range()[0]];

    const place = (target) => {
      state.target = target.map((value, j) => Number(clipped(value, data.features[j].domain)
        .toFixed(data.features[j].decimals)));
      const [x] = state.target;
      visited = visited ? [Math.min(visited[0], x), Math.max(visited[1], x)] : [x, x];
      drawTarget();
    };
    const moveTo = ([x, y]) => place(data.plane ? [plot.x.invert(x), plot.y.invert(y)] : [plot.x.invert(x)]);

    const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1], PageDown: [0, -10],
      PageUp: [0, 10] };
    const onKey = (event) => {
      if (event.key === "Home" || event.key === "End") {
        place([data.features[0].domain[event.key === "Home" ? 0 : 1], ...state.target.slice(1)]);
      } else if (event.key in STEPS) {
        const [axis, sign] = STEPS[event.key], j = data.plane ? axis : 0, [low, high] = data.features[j].domain;
        const ahead = state.target.slice();
        ahead[j] += sign * Math.max((high - low) / 100, 10 ** -data.features[j].decimals);
        place(ahead);
      } else return;
      stop();
      event.preventDefault();
    };

    // What does not depend on where the target is: the whole curve, or the field of a plane.
    const drawCurve = () => {
      const settings = JSON.stringify([data.name, kernelOf(), state.answer, state.level, state.bump]);
      if (plot.settings === settings) return;
      plot.settings = settings;
      plot.curve.selectAll("*").remove();
      plot.field.selectAll("*").remove();
      if (data.plane) { (state.answer === "climb" ? drawFlow : drawField)(); return; }
      plot.grid = steps(data.features[0].domain, state.answer === "mode" ? 81 : CURVE)
        .map((x) => [x, answer([x], weigh([x]), true)]);
      plot.curve.append("path").attr("d", pathOf(plot.grid.map(([x, y]) => [plot.x(x), plot.y(y)])));
      if (!spec.limit) return;
      // Where all weights are equal every answer is level or straight: its ends tell it.
      const equal = data.keys.map(() => 1 / data.keys.length);
      const ends = data.features[0].domain.map((x) => [plot.x(x), plot.y(answer([x], equal))]);
      plot.curve.append("path").attr("class", "play-limit").attr("d", pathOf(ends));
    };
    const cells = ([columns, rows]) => {
      const [xs, ys] = [[plot.x, columns], [plot.y, rows]].map(([scale, count]) => {
        const [low, high] = scale.domain(), half = (high - low) / count / 2;
        return steps([low + half, high - half], count);
      });
      return d3.cross(xs, ys);
    };
    const drawField = () => {
      const [w, h] = [plot.x, plot.y].map((scale, j) => Math.abs(scale.range()[1] - scale.range()[0]) / FIELD[j]);
      const found = cells(FIELD).map((at) => [at, answer(at, weigh(at), true)]);
      plot.field.selectAll("rect").data(found).join("rect").attr("width", w).attr("height", h)
        .attr("x", ([at]) => plot.x(at[0]) - w / 2).attr("y", ([at]) => plot.y(at[1]) - h / 2)
        .attr("class", ([, value]) => `play-${value < 0.5 ? 0 : 1}`)
        .attr("fill-opacity", ([, value]) => 0.4 * Math.min(1, Math.abs(2 * value - 1)));
    };
    const drawFlow = () => {
      const most = 0.8 * Math.abs(plot.x.range()[1] - plot.x.range()[0]) / ARROWS[0];
      const arrows = cells(ARROWS).map((at) => {
        const weight = weigh(at), ahead = [0, 1].map((j) => mean(weight, data.keys.map((key) => key[j])));
        const [a, b] = [plot.x(at[0]), plot.y(at[1])];
        const [dx, dy] = [plot.x(ahead[0]) - a, plot.y(ahead[1]) - b], length = Math.hypot(dx, dy);
        const share = length > most ? most / length : 1;
        return [[a, b], [a + dx * share, b + dy * share]];
      });
      plot.field.selectAll("g").data(arrows).join("g").each(function draw(ends) {
        d3.select(this).append("path").attr("class", "play-arrow").attr("d", pathOf(ends));
        d3.select(this).append("circle").attr("class", "play-tail").attr("r", 1.6).attr("cx", ends[0][0])
          .attr("cy", ends[0][1]);
      });
    };

    // A label is a whole number, a mean of labels a share.
    const decimals = () => (data.plane && ["quantile", "mode"].includes(state.answer) ? 0 : data.value.decimals);

    // What moves with the target.
    const drawTarget = () => {
      const weight = weigh(state.target), found = answer(state.target, weight), top = d3.max(weight);
      const [x, y] = seat(), labels = data.plane ? data.values : [], swell = clipped(plot.width / 640, [0.75, 1]);
      plot.points.selectAll("path").data(data.keys).join("path")
        .attr("transform", (key, i) => `translate(${plot.x(key[0])},${plot.y(data.plane ? key[1] : data.values[i])})`)
        .attr("class", (_, i) => `play-${labels[i] ?? 0}${weight[i] > 1e-3 * top ? "" : " play-far"}`)
        .attr("d", (_, i) => mark(labels[i], swell * Math.min(13, Math.sqrt(6 + 1500 * weight[i]))))
        .attr("fill-opacity", (_, i) => 0.25 + 0.5 * weight[i] / top);
      drawNear();
      const path = state.answer === "climb" ? climb(kernelOf(), state.target, data.keys) : [state.target];
      drawExtra(weight, path);
      plot.target.select(".play-guide").attr("d", data.plane ? "" : `M${x},${plot.y.range()[1]}V${y}`);
      plot.target.selectAll("circle").attr("cx", x).attr("cy", y);
      const at = data.plane ? [x, y] : [x, plot.y(clipped(found, plot.y.domain()))];
      const left = at[0] > plot.width - 110, value = written(found, { decimals: decimals() });
      plot.found.select("path").attr("transform", `translate(${at})`).attr("d", data.plane ? "" : mark(0, 6.5));
      plot.found.select("text").attr("x", at[0] + (left ? -16 : 16)).attr("y", at[1] - 14)
        .attr("text-anchor", left ? "end" : "start")
        .text({ climb: "", attend: `mean ${value}` }[state.answer] ?? `${state.answer} ${value}`);
      const traced = data.plane ? [] : [plot.grid.filter(([where]) => where >= visited[0] && where <= visited[1])];
      plot.trace.selectAll("path").data(traced).join("path")
        .attr("d", (points) => pathOf(points.map(([a, b]) => [plot.x(a), plot.y(b)])));
      say(found, size(weight), path);
    };
    // The kernel about the target: its shape over the line, its length in the plane.
    const drawNear = () => {
      if (data.plane) {
        const radius = [0, 1].map((j) => Math.abs([plot.x, plot.y][j](state.length) - [plot.x, plot.y][j](0)));
        const round = state.answer === "attend" ? [] : [radius];
        plot.near.selectAll("ellipse").data(round).join("ellipse").attr("cx", seat()[0]).attr("cy", seat()[1])
          .attr("rx", ([rx]) => rx).attr("ry", ([, ry]) => ry);
        return;
      }
      const grid = steps(data.features[0].domain, CURVE), floor = plot.y.range()[0];
      const over = weigh(state.target, [...grid.map((one) => [one]), state.target]), most = d3.max(over);
      const shape = grid.map((one, i) => [plot.x(one), floor - (0.22 * plot.height * over[i]) / most]);
      const [first, last] = [[shape[0][0], floor], [shape[CURVE - 1][0], floor]];
      plot.near.selectAll("path").data([[first, ...shape, last]]).join("path").attr("d", pathOf);
      // A bar of two widths, or radii: how far the kernel sees on either side.
      const [left, right] = plot.x.range(), wide = plot.x(2 * state.length) - plot.x(0), top = plot.y.range()[1];
      const bar = state.answer === "attend" ? [] : [Math.max(left, right - wide)];
      plot.near.selectAll("rect").data(bar).join("rect").attr("x", (from) => from).attr("y", top - 3)
        .attr("width", (from) => right - from).attr("height", 3.5);
      plot.near.selectAll("text").data(bar).join("text").attr("x", right).attr("y", top + 13).attr("text-anchor", "end")
        .text(compact.includes(state.kernel) ? "2R" : "2h");
    };
    // The line itself, the density along the values, or the way of the target.
    const drawExtra = (weight, path) => {
      const lines = [], dots = [];
      if (state.answer === "line" && !data.plane) {
        const { value, gradient } = line(weight, state.target, data.keys, data.values), [x] = state.target;
        const ends = [x - 2 * state.length, x + 2 * state.length];
        lines.push(ends.map((at) => [plot.x(at), plot.y(value + gradient[0] * (at - x))]));
      }
      if (state.answer === "mode" && !data.plane) {
        const ys = steps(data.value.domain, 121);
        const bump = (y, value) => Math.exp(-(((y - value) / state.bump) ** 2) / 2);
        const density = ys.map((y) => mean(weight, data.values.map((value) => bump(y, value))));
        const most = d3.max(density), away = plot.x(state.target[0]) > plot.width / 2 ? -1 : 1;
        lines.push(ys.map((y, i) => [plot.x(state.target[0]) + (away * 70 * density[i]) / most, plot.y(y)]));
      }
      if (state.answer === "climb") {
        const way = path.map((at) => [plot.x(at[0]), plot.y(data.plane ? at[1] : mean(weigh(at), data.values))]);
        lines.push(way);
        dots.push(...way);
      }
      plot.extra.selectAll("path").data(lines).join("path").attr("d", pathOf);
      plot.extra.selectAll("circle").data(dots).join("circle").attr("cx", ([x]) => x).attr("cy", ([, y]) => y)
        .attr("r", (_, i) => (i === dots.length - 1 ? 6 : 3));
    };

    const say = (found, worth, path) => {
      const where = data.features.map((one, j) => `${one.name} ${written(state.target[j], one)}`).join(", ");
      const end = path[path.length - 1].map((value, j) => written(value, data.features[j])).join(", ");
      const who = state.answer === "attend" ? "attention's mean" : `local ${state.answer}`;
      const value = written(found, { ...data.value, decimals: decimals() });
      const said = state.answer === "climb" ? `the target climbs to ${end} in ${path.length - 1} steps`
        : `${who} of ${data.value.name} ${value}`;
      plot.target.attr("aria-label", `target: ${data.features.map((one) => one.name).join(" and ")}`)
        .attr("aria-valuemin", data.features[0].domain[0]).attr("aria-valuemax", data.features[0].domain[1])
        .attr("aria-valuenow", state.target[0]).attr("aria-valuetext", `${where}; ${said}`);
      const { formula, page, title, call } = ANSWERS[state.answer];
      find(".play-said").innerHTML = `<strong>At ${where}: ${said}.</strong> ${formula} `
        + `${state.answer === "attend" ? data.lifts : ""} The weights are worth ${worth.toPrecision(3)} equal ones of `
        + `${data.keys.length}. ${spec.limit ? "Dashed: all weights equal. " : ""}<a href="${page}">${title}</a>`;
      const { name, length } = kernelOf();
      find(".play-call code").textContent
        = call(`[[${state.target.join(", ")}]]`, `${name}(${length})`, state, data.plane);
    };

    // A slider: its name, its ends, what it says.
    const set = (selector, { name, ends, value, unit = "", hidden = false, share = false }) => {
      const label = find(selector), range = label.querySelector("input"), output = label.querySelector("output");
      label.hidden = hidden;
      if (hidden) return;
      label.querySelector("span").textContent = name;
      range.value = share ? Math.round(200 * value) : geometric(ends).step(value);
      output.textContent = withUnit(value, unit);
      range.setAttribute("aria-valuetext", output.textContent);
    };
    const SECOND = {
      quantile: () => ({ name: "level q", share: true, value: state.level, key: "level" }),
      mode: () => ({ name: "width in y", ends: data.bumps, value: state.bump, unit: data.value.unit, key: "bump",
        hidden: data.plane }),
      attend: () => ({ name: "temperature τ", ends: data.temperatures, value: state.temperature, key: "temperature" }),
    };
    const second = () => SECOND[state.answer]?.() ?? { hidden: true };
    const refresh = () => {
      const attends = state.answer === "attend";
      find(".play-kernel").hidden = attends;
      set(".play-length", { name: compact.includes(state.kernel) ? "radius R" : "width h", ends: data.lengths,
        value: state.length, unit: data.lengthUnit, hidden: attends });
      set(".play-second", second());
      find(".play-sweep").hidden = data.plane;
      drawCurve();
      visited = null;
      place(state.target);
    };
    const load = (chosen) => {
      stop();
      data = chosen;
      state = { answer: state?.answer ?? spec.answer ?? "mean", kernel: state?.kernel ?? spec.kernel ?? "Gaussian",
        level: state?.level ?? 0.5, ...structuredClone(chosen.start) };
      frame();
      refresh();
    };

    // The target goes from end to end, so that its answer draws the curve; at once for who wants no motion.
    const stop = () => {
      cancelAnimationFrame(sweeping);
      sweeping = null;
      find(".play-sweep").setAttribute("aria-pressed", "false");
      find(".play-sweep").textContent = "Sweep";
    };
    const sweep = () => {
      if (sweeping) { stop(); return; }
      const [low, high] = data.features[0].domain;
      visited = null;
      place([low]);
      if (still.matches) { place([high]); return; }
      find(".play-sweep").setAttribute("aria-pressed", "true");
      find(".play-sweep").textContent = "Stop";
      let began = null;
      const step = (now) => {
        began ??= now;
        const share = Math.min(1, (now - began) / 5000);
        place([low + share * (high - low)]);
        if (share < 1) sweeping = requestAnimationFrame(step); else stop();
      };
      sweeping = requestAnimationFrame(step);
    };

    const option = (value, text = value) => new Option(text, value);
    find(".play-data select").append(...sets.map((one) => option(one.name, one.title)));
    find(".play-data").hidden = sets.length < 2;
    find(".play-kernel select").append(...names.map((name) => option(name)));
    for (const name of Object.keys(ANSWERS)) {
      const label = document.createElement("label");
      label.innerHTML = `<input type="radio" name="${spec.figure}-answer" value="${name}"><span>${name}</span>`;
      find(".play-answers").append(label);
    }
    load(sets[0]);
    find(`.play-answers input[value="${state.answer}"]`).checked = true;
    find(".play-kernel select").value = state.kernel;

    find(".play-answers").addEventListener("change", (event) => { state.answer = event.target.value; refresh(); });
    find(".play-data").addEventListener("change", (event) => load(sets.find((one) => one.name === event.target.value)));
    find(".play-kernel").addEventListener("change", (event) => { state.kernel = event.target.value; refresh(); });
    find(".play-length input").addEventListener("input", (event) => {
      state.length = geometric(data.lengths).at(Number(event.target.value));
      refresh();
    });
    find(".play-second input").addEventListener("input", (event) => {
      const { key, ends, share } = second(), step = Number(event.target.value);
      state[key] = share ? clipped(step / 200, [0.005, 0.995]) : geometric(ends).at(step);
      refresh();
    });
    find(".play-sweep").addEventListener("click", sweep);
    let width = box.clientWidth;
    new ResizeObserver(() => {
      if (box.clientWidth === width || !box.clientWidth) return; // hidden in print: it stays as it was
      width = box.clientWidth;
      frame();
      refresh();
    }).observe(box);
  };

  const ALBUM = `
    <div class="play-rows"></div>
    <div class="play-controls">
      <label class="play-length"><span></span> <input type="range" min="0" max="200"> <output></output></label>
    </div>
    <p class="play-said"><strong></strong></p>
    <p class="play-call"><code></code></p>`;
  const SLICE = 20; // milliseconds of a frame in which states settle; the page stays at hand meanwhile
  const UNSEEN = [128, 128, 128, 60];

  // Pictures side by side with a gap between them, dark grey to light grey, so that each ends where it ends on either
  // ground; pixels that are not there are a veil.
  const paint = (canvas, side, shown) => {
    const wide = (side + 1) * shown.length - 1, context = canvas.getContext("2d");
    Object.assign(canvas, { width: wide, height: side });
    const image = context.createImageData(wide, side);
    shown.forEach((picture, number) => d3.range(side * side).forEach((i) => {
      const grey = 30 + 200 * clipped(picture[i] ?? 0, [0, 1]);
      const place = Math.floor(i / side) * wide + number * (side + 1) + (i % side);
      image.data.set(i < picture.length ? [grey, grey, grey, 255] : UNSEEN, 4 * place);
    }));
    context.putImageData(image, 0, 0);
  };

  const livePictures = (spec) => {
    const box = boxOf(spec.figure, "A live local mean of pictures", ALBUM);
    if (!box) return;
    const find = (selector) => box.querySelector(selector);
    const { again, asked, call, compares, ends, pixels, rows, slider, start } = spec.pictures;
    const { answers, count, shown, sizes } = album(spec.pictures);
    const scale = geometric(ends), range = find("input"), side = Math.sqrt(pixels);
    const parts = compares === "upper halves" ? pixels / 2 : pixels;
    let running = null;
    const canvases = rows.map((name) => {
      const canvas = document.createElement("canvas"), title = document.createElement("span");
      title.textContent = name;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${asked.length / pixels} pictures, ${name}`);
      canvas.style.maxWidth = `${(6.5 * asked.length) / pixels}rem`;
      find(".play-rows").append(title, canvas);
      return canvas;
    });
    // States that settle are directions: each is as bright as it can be.
    const bright = (picture) => (again ? picture.map((value) => value / d3.max(picture)) : picture);
    const show = (row, found) => paint(canvases[row], side, found.map(bright));

    const worth = (width, found) => `the weights are worth ${
      sizes(width, found).map((one) => digits(one)).join(", ")} equal ones of ${count.toLocaleString("en")}`;
    const say = (width, what) => { find(".play-said strong").textContent = `At ${slider} = ${width}: ${what}.`; };
    // What is fed back is shown on its way, a slice of time in each frame; what is not is answered at once.
    const refresh = (width) => {
      cancelAnimationFrame(running);
      find("output").textContent = width;
      find(".play-call code").textContent = call.replaceAll("{}", width);
      show(0, shown(width).map((picture) => picture.slice(0, parts)));
      const moves = answers(width);
      let found, taken = 0;
      const go = () => {
        const until = performance.now() + SLICE;
        let move = moves.next();
        for (; !move.done; move = moves.next()) {
          found = move.value;
          taken += 1;
          if (again && performance.now() > until) break;
        }
        if (move.done || !still.matches) show(1, found);
        if (move.done) {
          const what = `${again ? `${move.value ? "settled" : "left"} after ${taken} steps; ` : ""}${worth(width, found)}`;
          say(width, what);
          range.setAttribute("aria-valuetext", `${width}; ${what}`);
        } else {
          say(width, `settling, ${taken} steps`);
          running = requestAnimationFrame(go);
        }
      };
      go();
    };

    find(".play-length span").textContent = slider;
    range.value = scale.step(start);
    range.addEventListener("input", () => refresh(scale.at(Number(range.value))));
    refresh(start);
  };

  const live = (script) => {
    const spec = JSON.parse(script.textContent);
    if (spec.pictures) livePictures(spec); else livePoints(spec);
  };

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("script.playground").forEach(live));
})();
