"""The live local mean of the first page: its numbers, in a browser, are those of the package."""

import functools
import hashlib
import html
import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import locmethods as lm
from locmethods import kernels
from locmethods.companion.build import figures, handed, playground, records
from locmethods.companion.drawings import intro
from locmethods.hopfield import ModernHopfield
from locmethods.means import effective_sample_size, local_weights
from locmethods.meanshift import climb
from locmethods.models.polynomial import local_polynomial

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "book" / "_assets"
SCRIPT = (ASSETS / "localmean.js").read_text()
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium") or shutil.which("chromium-browser")
SMOOTH, COMPACT = ("Gaussian", "Laplace", "Cauchy"), ("Epanechnikov", "Triangular", "Biweight", "Tricube", "Flat")
# As the issue asks. The sums of both sides round by n·ε, at most 60 · 2e-16; a line's window multiplies that by up to
# the square of its condition, 1e4, before it is solved in another way.
WITHIN = 1e-9
ANSWERS = """
const answers = (one) => {
  const { kernel, query, start, keys, values, labels, q, width } = one;
  const weight = localmean.weights(kernel, query, keys);
  const path = kernel.name === "Exponential" ? [start] : localmean.climb(kernel, start, keys);
  return {
    weights: weight, size: localmean.size(weight), mean: localmean.mean(weight, values),
    quantile: localmean.quantile(weight, values, q), vote: localmean.vote(weight, labels),
    mode: localmean.mode(weight, values, width), ...localmean.line(weight, query, keys, values),
    end: path[path.length - 1],
  };
};
"""
OF_PICTURES = """
const answers = (one) => {
  const found = localmean.album(one.pictures), [last] = [...found.answers(one.width)].slice(-1);
  return { shown: found.shown(one.width), answered: last, sizes: found.sizes(one.width, last) };
};
"""


def in_node(cases, answers):
    """Return what the module answers under node."""
    program = f"{SCRIPT}\n{answers}\nprocess.stdout.write(JSON.stringify({json.dumps(cases)}.map(answers)));"
    return json.loads(subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, check=True).stdout)


def in_chromium(cases, answers, folder):
    """Return what the module answers in a browser, which writes it into its page."""
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset='utf-8'><script>{SCRIPT}</script><pre></pre><script>{answers}\n"
                    f"document.querySelector('pre').textContent = JSON.stringify({json.dumps(cases)}.map(answers));"
                    "</script>")
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
                           "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True)
    return json.loads(html.unescape(re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)[1]))


def places(rng, keys):
    """Return targets: among the keys, on one, beside them, and so far away that plain weights vanish."""
    among, beside = keys.mean(0) + 0.5 * rng.normal(size=keys.shape[1]), keys.max(0) + rng.uniform(0.2, 3)
    return [among, keys[0], beside, keys.min(0) - 40.0]


def cases(seed=0):
    """Return random questions for every kernel, on the line and in the plane, of one key up to sixty."""
    rng, found = np.random.default_rng(seed), []
    for name in (*SMOOTH, *COMPACT, "Exponential"):
        for d in (1, 2):
            for n in (1, 2, int(rng.integers(3, 61))):
                keys = rng.normal(size=(n, d))
                if n > 2:
                    keys[1] = keys[0]  # two that coincide
                starts = places(rng, keys)
                for number, query in enumerate(starts):
                    found.append({"kernel": {"name": name, "length": float(np.exp(rng.uniform(-2, 1)))},
                                  "query": query.tolist(), "start": starts[number % 3].tolist(), "keys": keys.tolist(),
                                  "values": rng.normal(size=n).tolist(), "labels": rng.integers(3, size=n).tolist(),
                                  "q": float(rng.choice([0.05, 0.5, rng.uniform(0.01, 0.99)])),
                                  "width": float(np.exp(rng.uniform(-2, 0.5)))})
    return found


def polished(place, weight, values, width):
    """Return the maximiser of Σ w exp(−(v − vᵢ)²/2h²) beside `place`, by Newton's steps on its slope.

    `local_mode` ends its climb when a step is 1e-10 of the spread: on a flat top that is further than 1e-9 from it.
    """
    for _ in range(20):
        gap = (values - place) / width
        bump = weight * np.exp(-gap**2 / 2)
        place -= width * (bump @ gap) / (bump @ (gap**2 - 1))
    return place


def expected(case):
    """Return the package's answers to a case."""
    kernel = getattr(kernels, case["kernel"]["name"])(case["kernel"]["length"])
    query, keys, values = np.array([case["query"]]), np.array(case["keys"]), np.array(case["values"])
    line, start = local_polynomial(query, keys, values, kernel=kernel, degree=1), np.array([case["start"]])
    end = start[0] if case["kernel"]["name"] == "Exponential" else climb(start, keys, kernel=kernel).points[0]
    weights = local_weights(query, keys, kernel=kernel)[0]
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # on a flat top; it is polished below
        mode = lm.local_mode(query, keys, values, kernel=kernel, value_kernel=kernels.Gaussian(case["width"]))[0]
    sharp = polished(mode, weights, values, case["width"])
    assert abs(sharp - mode) < 1e-6  # Newton has not gone elsewhere
    return {"weights": weights,
            "size": effective_sample_size(query, keys, kernel=kernel)[0],
            "mean": lm.local_mean(query, keys, values, kernel=kernel)[0],
            "quantile": lm.local_quantile(query, keys, values, case["q"], kernel=kernel)[0],
            "vote": lm.local_mode(query, keys, np.array(case["labels"]), kernel=kernel)[0],
            "mode": sharp,
            "value": line.value[0], "gradient": line.gradient[0], "end": end}


@functools.cache
def questions():
    """Return the cases, and the package's answers to them."""
    return cases(), [expected(case) for case in cases()]


@pytest.fixture(params=["node", "chromium"])
def engine(request, tmp_path):
    """Return a function that asks the module, in each engine that the machine has."""
    if not (NODE or CHROMIUM):
        pytest.skip("there is neither node nor Chromium here, and .ci/run installs both")
    if request.param == "node":
        if not NODE:
            pytest.skip("there is no node here; Chromium answers the same questions")
        return in_node
    if not CHROMIUM:
        pytest.skip("there is no Chromium here; node answers the same questions")
    return functools.partial(in_chromium, folder=tmp_path)


def test_its_numbers_are_the_packages(engine):
    answered = engine(questions()[0], ANSWERS)
    assert len(answered) == 216
    for case, theirs, ours in zip(*questions(), answered, strict=True):
        assert set(ours) == set(theirs)
        for name, value in theirs.items():
            scale = max(1.0, float(np.max(np.abs(value))))  # slopes and targets may be large
            np.testing.assert_allclose(ours[name], value, rtol=0, atol=WITHIN * scale,
                                       err_msg=f"{name} of {case['kernel']} at {case['query']}")


# Pictures


def upper_half(pictures):
    """Return the upper halves as vectors of length one."""
    return directions(pictures[:, :pictures.shape[1] // 2])


def directions(pictures):
    """Return pictures as vectors of length one."""
    return pictures / np.linalg.norm(pictures, axis=1, keepdims=True)


def whole(pictures):
    """Return pictures as they are."""
    return pictures


COMPARED = {"pictures": whole, "upper halves": upper_half, "directions": directions}


def albums(seed=1):
    """Return random pictures, the options under which they are asked, and a width, for each way of asking."""
    rng, found = np.random.default_rng(seed), []
    for compares in COMPARED:
        for kernel in (*SMOOTH, "Epanechnikov", "Exponential"):
            for n, pixels in ((1, 4), (3, 16), (60, 64)):
                known, asked = (rng.integers(1, 17, size=(rows, pixels)) / 16 for rows in (n, 4))
                asked[0] = known[0]
                grain = rng.normal(size=asked.shape) if rng.uniform() < 0.5 else None
                found.append({"known": known, "asked": asked, "grain": grain, "kernel": kernel, "compares": compares,
                              "width": float(np.exp(rng.uniform(-2, 1))), "inverse": bool(rng.integers(2))})
    for beta in (0.5, 5.0, 40.0, 300.0):
        known = rng.integers(0, 17, size=(60, 64)) / 16
        found.append({"known": known, "asked": known[:4], "grain": None, "kernel": "Exponential",
                      "compares": "directions", "width": beta, "inverse": True, "again": 1e-5})
    return found


def as_handed(album):
    """Return an album as a page's script has it."""
    given = {key: album[key] for key in ("known", "asked", "grain") if album[key] is not None}
    options = {key: album[key] for key in ("kernel", "compares", "inverse", "again") if key in album}
    return {"width": album["width"], "pictures": playground.from_handed(
        {"still": 0}, given | {"widths": np.array([1.0])}, slider="h", rows=["asked", "answered"], call="", **options)}


def answered_by_the_package(album):
    """Return what is shown, what answers, and how many equal weights the answers are worth."""
    known, width = album["known"], album["width"]
    shown = album["asked"] if album["grain"] is None else album["asked"] + width * album["grain"]
    kernel = getattr(kernels, album["kernel"])(1 / width if album["inverse"] else width)
    view = COMPARED[album["compares"]]
    compared, states = view(known), view(shown)
    if "again" in album:
        states = answers = ModernHopfield(width, tol=album["again"], max_steps=3000).fit(compared).recall(states)
    else:
        answers = lm.local_mean(states, compared, known, kernel=kernel)
    return {"shown": shown, "answered": answers, "sizes": effective_sample_size(states, compared, kernel=kernel)}


def test_its_pictures_are_the_packages(engine):
    asked = albums()
    for album, ours in zip(asked, engine([as_handed(one) for one in asked], OF_PICTURES), strict=True):
        for name, value in answered_by_the_package(album).items():
            # Sizes are as large as the number of keys.
            np.testing.assert_allclose(ours[name], value, rtol=WITHIN, atol=WITHIN,
                                       err_msg=f"{name} of {album['kernel']} of {album['compares']}")


def test_greys_that_are_no_sixteenths_are_refused():
    album = albums()[0] | {"known": np.array([[0.3, 1.0]])}
    with pytest.raises(ValueError, match="the pictures' greys must be whole sixteenths from 0 to 1, got others"):
        as_handed(album)
    with pytest.raises(ValueError, match="compares must be one of pictures, upper halves, directions, got 'colours'"):
        as_handed(albums()[0] | {"compares": "colours"})


def test_arrays_are_handed_over_whole(tmp_path, monkeypatch):
    monkeypatch.setenv(records.FOLDER, str(tmp_path))
    monkeypatch.setenv(records.CHAPTER, "lazy")
    with pytest.raises(ValueError, match="handed over for a figure that the chapter has left, got 'lazy-digits'"):
        handed.hand_over("lazy-digits", known=[[1 / 3]])
    place = tmp_path / "figures" / "lazy"
    assert handed.handed_over(place, "lazy-digits") == {}
    records.write_json(place / "lazy-digits.json", {})
    handed.hand_over("lazy-digits", known=[[1 / 3]], widths=[1, 2])
    found = handed.handed_over(place, "lazy-digits")
    assert {name: array.tolist() for name, array in found.items()} == {"known": [[1 / 3]], "widths": [1, 2]}


def test_nothing_is_handed_over_in_a_readers_own_session(tmp_path, monkeypatch):
    monkeypatch.delenv(records.FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    handed.hand_over("lazy-digits", known=[[1.0]])
    assert not list(tmp_path.iterdir())


# What the page is made of


@pytest.mark.parametrize("file", playground.D3)
def test_the_vendored_library_is_what_its_authors_published(file):
    version, checksum = playground.D3[file]
    content = (ASSETS / "d3" / file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == checksum
    assert f"v{version} Copyright".encode() in content[:100]


def test_everything_that_is_loaded_is_there_and_nothing_else_of_the_library():
    assert all((ASSETS / file).exists() for file in playground.SCRIPTS)
    assert {path.name for path in (ASSETS / "d3").iterdir()} == {*playground.D3, "LICENSE"}
    assert "book/_assets/d3" in (ROOT / "LICENSE-TEXT.md").read_text()


def test_a_page_without_the_live_piece_loads_none_of_its_scripts():
    class App:
        loaded = ()

        def add_js_file(self, file, priority):
            self.loaded += (file,)

    app = App()
    playground.add_scripts(app, "book/means", "page.html", {"body": "<p>playground</p>"}, None)
    assert app.loaded == ()
    playground.add_scripts(app, "book/intro", "page.html", {"body": playground.script("x-y", data=[])}, None)
    assert app.loaded == playground.SCRIPTS


@pytest.mark.parametrize("one", playground.presets(), ids=lambda one: one["name"])
def test_what_is_shown_lies_inside_its_axes_and_begins_inside_its_sliders(one):
    keys, ends = np.array(one["keys"]), np.array([feature["domain"] for feature in one["features"]])
    values, start = np.array(one["values"]), one["start"]
    assert keys.shape == (len(values), len(ends)) and ((ends[:, 0] < keys) & (keys < ends[:, 1])).all()
    low, high = one["value"]["domain"]
    assert ((low <= values) & (values <= high)).all()
    assert ((ends[:, 0] < start["target"]) & (start["target"] < ends[:, 1])).all()
    for name, range_ in (("length", "lengths"), ("bump", "bumps"), ("temperature", "temperatures")):
        assert one[range_][0] < start[name] < one[range_][1]


def test_frames_over_a_width_become_a_live_piece_of_the_same_table():
    table = figures.Table("year,spots,width\n1700,5,1\n1701,11,30\n1710,40,\n")
    one = playground.from_table({"name": "means-spots", "still": 1}, table, ("year", "year"), ("spots", "number"),
                                "width", "years")
    assert (one["keys"], one["values"]) == ([[1700.0], [1701.0], [1710.0]], [5.0, 11.0, 40.0])
    assert (one["lengths"], one["start"]["length"], one["lengthUnit"]) == ((1.0, 30.0), 30.0, "years")
    assert [axis["name"] for axis in (*one["features"], one["value"])] == ["year", "number"]
    assert one["start"]["target"] == [1701.0] and not table.unseen()


def test_data_cannot_end_the_element_that_holds_them():
    text = playground.script("intro-live", data=[{"title": "</script>"}], answer="line")
    assert text.count("</script>") == 1
    spec = json.loads(re.fullmatch(r'<script type="application/json" class="playground">(.*)</script>', text)[1])
    assert spec == {"figure": "intro-live", "data": [{"title": "</script>"}], "answer": "line"}


def test_the_drawing_is_the_live_piece_as_it_begins():
    first = playground.presets()[0]
    columns = intro.stood_still([first])
    gap = (np.array(first["keys"])[:, 0] - first["start"]["target"][0]) / first["start"]["length"]
    weight = np.exp(-gap**2 / 2)
    # Sums of a hundred terms, each rounded.
    np.testing.assert_allclose(columns["weight"], weight / weight.sum(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(columns["found"], weight @ first["values"] / weight.sum(), rtol=1e-13)
