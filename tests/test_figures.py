"""A figure leaves what it takes to show and cite it, the same bytes each time; or nothing at all."""

import csv
import hashlib
import io
import json
import re
import sys
import tempfile
import zipfile
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from locmethods.companion import figure, frames
from locmethods.companion.build import figures, records
from locmethods.companion.build.figures import NARROW, Layout, Table, as_csv, layouts_of, stacked
from locmethods.companion.build.style import DARK_GROUND, GROUND, PAIRS, darkened, settings
from locmethods.companion.drawings import charts

X = np.linspace(0, 1, 9)
THEMES = ("light", "dark")
FILES = {f"means-square.{end}" for end in (
    "csv", "json", "pdf", "png", "dark.png", "svg", "light.svg", "dark.svg", "narrow.light.svg", "narrow.dark.svg")}


def curves(axes, table):
    """Draw two curves."""
    charts.lines(axes, table, "x", ["square", "root"], xlabel="x", ylabel="y")


def power(axes, table, number):
    """Draw one curve a frame."""
    axes.plot(table["x"], table["power"][:, number])


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """Start as a reader does, and return what is displayed: (data, metadata) of each display."""
    import IPython.display

    for name in ("LOCMETHODS_RECORDS", "LOCMETHODS_CHAPTER"):
        monkeypatch.delenv(name, raising=False)
    found = []
    monkeypatch.setattr(IPython.display, "publish_display_data", lambda *both: found.append(both))
    return found


@pytest.fixture
def chapter(monkeypatch, tmp_path):
    """Run as the chapter means, and return the folder of its figures."""
    monkeypatch.setenv("LOCMETHODS_RECORDS", str(tmp_path / "records"))
    monkeypatch.setenv("LOCMETHODS_CHAPTER", "means")
    return tmp_path / "records" / "figures" / "means"


def draw(function=figure, name="means-square", **options):
    given = {"caption": "A square, $x^2$. And its root.", "alt": "Two curves."}
    if function is frames:
        given |= {"moves": "power", "labels": ["one", "two", "three"],
                  "data": {"x": X, "power": np.stack([X, X**2, X**3], 1)}}
    else:
        given |= {"data": {"x": X, "square": X**2, "root": X**0.5}}
    function(name, power if function is frames else curves, **given | options)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def message(text):
    return "^" + re.escape(text) + "$"


def test_a_figure_leaves_drawings_data_and_a_record(chapter):
    draw(seed=3, parameters={"n": 9})
    files = contents(chapter)
    assert set(files) == FILES
    assert all(b"<svg" in files[f"means-square{end}"] for end in (".svg", ".light.svg", ".dark.svg"))
    assert files["means-square.pdf"].startswith(b"%PDF")
    rows = list(csv.reader(io.StringIO(files["means-square.csv"].decode())))
    assert rows[0] == ["x", "square", "root"] and len(rows) == 10 and rows[2] == ["0.125", "0.015625", "0.3535534"]
    record = json.loads(files["means-square.json"])
    assert set(record.pop("versions")) == {"matplotlib", "numpy", "scikit-learn", "scipy", "torch"}
    assert record == {
        "name": "means-square", "chapter": "means", "caption": "A square, $x^2$. And its root.", "alt": "Two curves.",
        "seed": 3, "parameters": {"n": 9}, "stacked": False,
        "files": ["means-square.csv", "means-square.dark.png", "means-square.pdf", "means-square.png",
                  "means-square.svg"],
        "checksum": hashlib.sha256(files["means-square.csv"]).hexdigest()}


def test_the_page_shows_the_picture_its_caption_and_what_it_says(shown):
    draw()
    [(data, metadata)] = shown
    assert data["text/plain"] == "Figure means-square: A square, $x^2$. And its root.\n[Two curves.]"
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata == {"locmethods": {"figure": "means-square"}}


@pytest.mark.parametrize("function", [figure, frames])
@pytest.mark.slow
def test_a_figure_has_the_same_bytes_each_time(chapter, function):
    draw(function)
    first = contents(chapter)
    draw(function)
    assert contents(chapter) == first


@pytest.mark.parametrize("function", [figure, frames])
@pytest.mark.slow
def test_a_users_settings_change_nothing(chapter, shown, function):
    draw(function)
    first = contents(chapter)
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "lines.linewidth": 9, "svg.fonttype": "none",
                                "figure.dpi": 40, "savefig.bbox": "tight", "axes.grid": False}):
        draw(function)
        assert matplotlib.rcParams["font.size"] == 30, "drawing must leave the user's own settings alone"
    assert contents(chapter) == first
    assert shown[0] == shown[1]


def test_the_two_themes_differ_and_keep_the_ground_free(chapter):
    draw()
    files = contents(chapter)
    light, dark, cited = (files[f"means-square{end}.svg"].decode() for end in (".light", ".dark", ""))
    assert light != dark
    assert "#24292f" in light and "#e3e6ea" not in light
    assert "#e3e6ea" in dark and "#24292f" not in dark
    assert "fill: #ffffff" in cited and "fill: #ffffff" not in light


def test_pictures_of_pixels_are_sharp_and_stand_on_their_ground(chapter):
    draw()
    for end, ground, ink in (("png", GROUND, "#0067a5"), ("dark.png", DARK_GROUND, "#5bb6f0")):
        picture = Image.open(chapter / f"means-square.{end}").convert("RGB")
        assert picture.size == (1280, 760), "6.4 by 3.8 inches at 200 dots"
        colours = {f"#{red:02x}{green:02x}{blue:02x}" for _, (red, green, blue) in picture.getcolors(1 << 20)}
        assert picture.getpixel((0, 0)) == tuple(bytes.fromhex(ground[1:])) and ink in colours


def test_drawing_leaves_the_backend_and_pyplot_alone(chapter):
    def opened():
        """Return the numbers of pyplot's figures, of which other tests may have left some."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        return pyplot.get_fignums() if pyplot else []

    before = opened()
    draw()
    assert not any("backend" in key for key in settings("means-square"))
    assert opened() == before


def test_a_drawing_names_no_date_and_no_machine(chapter):
    draw()
    for name, content in contents(chapter).items():
        for word in (b"CreationDate", b"dc:date", tempfile.gettempdir().encode(), str(Path.home()).encode() + b"/"):
            assert word not in content, f"{name} has {word!r}"


@pytest.mark.parametrize("name", ["Means-square", "means_square", "means square", "means-", "", "../means-x", None])
def test_a_name_is_lower_case_words(name):
    with pytest.raises(ValueError, match=message(
            f"a figure's name must be lower-case words joined by hyphens, got {name!r}")):
        draw(name=name)


def test_a_name_begins_with_the_chapters_stem(chapter):
    with pytest.raises(ValueError, match=message(
            "a figure of the chapter 'means' must have a name that begins with means-, got 'trick-square'")):
        draw(name="trick-square")
    assert not chapter.exists()


@pytest.mark.parametrize("function", [figure, frames])
@pytest.mark.parametrize("options, words", [
    ({"caption": " "}, "caption must be a sentence, got ' '"),
    ({"caption": None}, "caption must be a sentence, got None"),
    ({"alt": ""}, "alt must be a sentence, got ''"),
    ({"data": {}}, "data must be a dict of the plotted arrays, got {}"),
    ({"data": None}, "data must be a dict of the plotted arrays, got None"),
])
def test_what_a_citation_needs_must_be_given(chapter, shown, function, options, words):
    with pytest.raises(ValueError, match=message(words)):
        draw(function, **options)
    assert not chapter.exists() and not shown


@pytest.mark.parametrize("function", [figure, frames])
def test_a_reader_leaves_no_files(tmp_path, monkeypatch, shown, function):
    monkeypatch.chdir(tmp_path)
    draw(function)
    assert not list(tmp_path.iterdir())
    assert len(shown) == 1


def test_a_drawing_that_raises_leaves_no_record(chapter, shown):
    def broken(axes, table):
        raise RuntimeError("no such colour")

    with pytest.raises(RuntimeError, match="no such colour"):
        figure("means-broken", broken, caption="A.", alt="B.", data={"x": X})
    assert not chapter.exists() and not shown


def test_data_become_columns():
    table = as_csv({"x": [1, 2, 3], "matrix": torch.eye(2), "one": 0.1, "word": np.array(["a", "b"])})
    assert table == "x,matrix_0,matrix_1,one,word\n1,1,0,0.1,a\n2,0,1,,b\n3,,,,\n"


def test_data_do_not_tell_the_order_of_a_sum():
    assert as_csv({"x": [0.1 + 0.2 + 0.3]}) == as_csv({"x": [0.1 + (0.2 + 0.3)]})
    assert as_csv({"x": [1.0, 0.1 + 0.2 - 0.3]}) == as_csv({"x": [1.0, 0.0]})
    assert as_csv({"x": [[1.0, 3e-17], [2.0, 1e-12]]}) == "x_0,x_1\n1,0\n2,1e-12\n"


def test_a_drawing_gets_what_the_csv_holds():
    table = Table(as_csv({"x": [1 / 3, 2 / 3], "m": [[1, 2], [3, 4]], "word": np.array(["a"]), "short": [5]}))
    assert table["x"].tolist() == [0.3333333, 0.6666667] and table["m"].tolist() == [[1, 2], [3, 4]]
    assert table["word"].tolist() == ["a"] and table["short"].tolist() == [5]
    assert "m" in table and "word" in table and "n" not in table
    with pytest.raises(KeyError, match="the figure's data have no column 'n'; there are x, m_0, m_1, word, short"):
        table["n"]


def test_nothing_stands_in_the_csv_that_is_not_drawn(chapter, shown):
    data = {"x": X, "square": X**2, "root": X**0.5, "unseen": np.eye(2)}
    with pytest.raises(ValueError, match=message(
            "the data of means-square hold what the drawing does not show: unseen_0, unseen_1")):
        draw(data=data)
    assert not chapter.exists() and not shown


@pytest.mark.parametrize("size, panels, narrow, wanted", [
    ((6.4, 4.0), (1, 1), None, ((NARROW, 3.0), (1, 1))),
    ((9.0, 3.8), (1, 3), None, ((NARROW, 9.0), (3, 1))),
    ((9.0, 6.0), (2, 2), None, ((NARROW, 4.5), (2, 2))),
    ((9.0, 6.0), (2, 2), ((3.6, 9), (4, 1)), ((3.6, 9), (4, 1))),
])
def test_panels_side_by_side_are_stacked_on_a_phone(size, panels, narrow, wanted):
    assert layouts_of(size, panels, narrow) == {"": (size, panels), ".narrow": wanted}


@pytest.mark.parametrize("panels, narrow, wanted", [
    ((1, 2), None, True), ((1, 1), None, False), ((2, 2), None, False), ((1, 2), ((3.6, 2), (1, 2)), False)])
def test_it_is_known_whether_panels_are_stacked_on_a_phone(panels, narrow, wanted):
    assert stacked(layouts_of((8, 4), panels, narrow)) is wanted


@pytest.mark.slow
def test_frames_leave_each_drawing_in_both_themes(chapter, shown):
    draw(frames, still=2)
    files = contents(chapter)
    assert set(files) == FILES | {"means-square.frames.zip"} | {
        f"means-square.{i}{variant}.{theme}.svg" for i in range(3) for theme in THEMES for variant in ("", ".narrow")}
    assert len({files[f"means-square.{i}.dark.svg"] for i in range(3)}) == 3
    assert files["means-square.light.svg"] == files["means-square.2.light.svg"]
    record = json.loads(files["means-square.json"])
    assert record["labels"] == ["one", "two", "three"] and record["still"] == 2 and record["moves"] == "power"
    assert len(shown) == 1 and shown[0][0]["text/plain"].startswith("Figure means-square: A square")


@pytest.mark.slow
def test_all_frames_are_taken_away_in_one_archive(chapter, shown):
    draw(frames, still=2)
    with zipfile.ZipFile(chapter / "means-square.frames.zip") as archive:
        assert archive.testzip() is None
        taken = {name: archive.read(name) for name in archive.namelist()}
    assert set(taken) == {f"means-square.{i}.{theme}.{kind}" for i in range(3) for theme in THEMES
                          for kind in ("svg", "png")}
    for name in taken:
        if name.endswith(".svg"):
            assert taken[name] == (chapter / name).read_bytes()
    assert taken["means-square.2.light.png"] == (chapter / "means-square.png").read_bytes()
    assert taken["means-square.2.dark.png"] == (chapter / "means-square.dark.png").read_bytes()


@pytest.mark.parametrize("options, words", [
    ({"labels": ["one"]}, "there must be at least two frames and a label for each, got the labels ['one']"),
    ({"moves": " "}, "moves must name what the slider moves, got ' '"),
    ({"still": 3}, "still must be one of the frames, 0 to 2, got 3"),
    ({"still": -1}, "still must be one of the frames, 0 to 2, got -1"),
])
def test_frames_must_match_their_labels(chapter, options, words):
    with pytest.raises(ValueError, match=message(words)):
        draw(frames, **options)
    assert not chapter.exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    place = tmp_path / "new" / "record.json"
    records.write_whole(place, "first")

    def killed(*names):
        raise KeyboardInterrupt

    with pytest.raises(AttributeError):
        records.write_whole(place, None)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(records.os, "replace", killed)
        records.write_whole(place, "second")
    assert contents(place.parent) == {"record.json": b"first"}
    records.write_whole(place, b"third")
    assert contents(place.parent) == {"record.json": b"third"}


MANY = {"x": X, "y": 1.5 - X, "z": X + 1, "grid": np.outer(X, X), "label": np.arange(9) % 2,
        "word": np.array(["a", "b"]), "mean": [1, 2], "error": [0.1, 0.2]}


def many(axes, table):
    """Draw what the pages draw with."""
    charts.scatter(axes[0], table, {"p": ("x", "x"), "q": ("x", "y")}, xlabel="a", ylabel="b", equal=True)
    charts.dots(axes[1], table, "word", "mean", "error", xlabel="c", colours=(0, 1), xlim=(0, 3))
    charts.regions(axes[2], table, "x", "y", "grid", ("x", "y"), "label", xlabel="a", ylabel="b")
    charts.images(axes[3:4], table, {"grid": "a picture"}, (9, 9), symmetric=True)
    charts.lines(axes[4], table, "x", ["x", "y"], xlabel="a", ylabel="b", points=("x", "y"),
                 points_name=("p", 0.1, 0.2), band=("x", "x", "y"), vertical=0.5, horizontal=0.5, marker=True,
                 names="start")
    named = {"y": "one", "z": "two"}
    charts.lines(axes[5], table, "x", named, xlabel="a", ylabel="b", logy=True, names="legend")


def without_identifiers(svg):
    """Return an SVG whose identifiers, digests of what they name, are numbered in order."""
    seen = {}

    def number(found):
        return b"%d" % seen.setdefault(found.group(), len(seen))
    return re.sub(rb"(?<=[\"#])[a-z][0-9a-f_]{9,}", number, svg)


@pytest.mark.parametrize("invert", [False, True])
def test_markers_at_an_axis_end_are_whole_and_what_goes_beyond_is_cut(invert):
    """Two at the corners stand whole; with one point outside, or without markers, the axes cut."""
    found = {}

    def corners(axes, table):
        axes.set(xlim=(1, 0) if invert else (0, 1), ylim=(0, 1))
        inside, beyond = [0.0, 1.0, np.nan], [0.0, 1.1, np.nan]
        found["whole"] = [axes.scatter(inside, inside), axes.plot(inside, inside, "o-")[0]]
        found["cut"] = [axes.scatter(beyond, inside), axes.plot(inside, beyond, "o-")[0], axes.plot(inside, inside)[0],
                        axes.quiver([0.5], [0.5], [1], [1])]

    figures.drawn(corners, Table(as_csv({"x": X})), "means-corners", Layout((4, 3), (1, 1)))
    assert [artist.get_clip_on() for artist in found["whole"]] == [False, False]
    assert [artist.get_clip_on() for artist in found["cut"]] == [True] * 4


@pytest.mark.slow
def test_the_dark_theme_is_what_dark_settings_would_have_drawn():
    wanted, light = (
        figures.saved(figures.drawn(many, Table(as_csv(MANY)), "means-many", Layout((6.4, 8), (3, 2)), dark=dark),
                      "means-many", "svg", dark=dark) for dark in (True, False))
    assert without_identifiers(darkened(light)) == without_identifiers(wanted)
    assert without_identifiers(light) != without_identifiers(wanted)


def test_no_drawing_names_a_colour_that_would_turn_with_the_theme():
    grounds = re.compile("|".join(map(re.escape, PAIRS)) + r"""|["'](white|w|#fff)["']""")
    for path in Path(charts.__file__).parent.glob("*.py"):
        found = grounds.search(path.read_text())
        assert not found, f"{path.name} names {found}: leave it to the style, or take charts.WHITE"


@pytest.mark.slow
def test_drawings_take_their_colours_from_the_theme(chapter):
    figure("means-many", many, caption="Six.", alt="Six.", data=MANY, size=(6.4, 8), panels=(3, 2))
    light, dark = ((chapter / f"means-many.{theme}.svg").read_text() for theme in THEMES)
    assert "#0067a5" in light and "#5bb6f0" in dark
    for picture, ink in ((light, "#e3e6ea"), (dark, "#24292f")):
        assert ink not in picture


def names_of(curves, **options):
    """Return {name: (its place in points from the axes' corner)} of the names beside some curves."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(6, 4), layout="constrained")
    axes = canvas.subplots()
    charts.lines(axes, curves | {"x": X}, "x", list(curves), xlabel="x", ylabel="y", **options)
    canvas.draw_without_rendering()
    return {text.get_text(): text.get_window_extent().y0 * 72 / canvas.dpi for text in axes.texts}


def test_names_at_the_ends_of_curves_keep_apart():
    places = names_of({"low": X, "middle": X * 1.001, "high": X * 1.002, "far": 4 * X})
    gaps = np.diff([places[name] for name in ("low", "middle", "high")])
    assert (gaps > charts.APART - 1).all(), "a point is what the letters of two names differ by"
    assert places["far"] > places["high"]


def test_a_name_may_have_a_place_of_its_own():
    assert set(names_of({"low": X, "high": 2 * X}, names={"low": (0.1, 1.5)})) == {"low", "high"}
    assert names_of({"one": X}) == {}, "one curve needs no name"
    assert names_of({"low": X, "high": 2 * X}, names=None) == {}


def test_a_name_keeps_off_the_last_marker():
    from matplotlib.figure import Figure

    begins = {}
    for marker in (True, False):
        axes = Figure(figsize=(6, 4)).subplots()
        charts.lines(axes, {"x": X, "low": X, "high": 2 * X}, "x", ["low", "high"], xlabel="x", ylabel="y",
                     marker=marker)
        begins[marker] = axes.texts[0].xyann[0]
    assert begins[True] - begins[False] == 2.5, "a marker of five points reaches half as far"
