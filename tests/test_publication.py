"""The book in public: its addresses, the previews of its links, the files that hosts read, and what is said of it."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import locmethods
from locmethods.companion.__main__ import COMMANDS
from locmethods.companion.build import metadata, pages, publication
from locmethods.companion.build.records import write_json, write_whole

ROOT = Path(__file__).resolve().parent.parent
HUB = "https://github.com/owner/book"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGE = """---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3, language: python}
chapter:
  question: What is "near"?
  surprise: A kernel says it
---
# The first

Words.

```{code-cell} ipython3
figure("means-second", draw)
figure("means-alpha", draw)
```
"""


def project(root, urls=""):
    """Write what a book's metadata are made of; `urls` is what [project.urls] holds."""
    write_whole(root / "pyproject.toml", f"""[project]
name = "locmethods"
version = "0.2.0"
description = "Local means & more"
requires-python = ">=3.11"
license = "BSD-3-Clause"
authors = [{{ name = "The authors" }}]
keywords = ["kernel"]
dependencies = ["numpy>=2.0"]

[project.urls]
{urls}
""")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return a book of two pages, one with code, at no public place."""
    monkeypatch.delenv(publication.HOSTED, raising=False)
    project(tmp_path)
    write_whole(tmp_path / "_config.yml", "title: A <book>\n")
    write_whole(tmp_path / "_toc.yml", "root: book/intro\nchapters: [{file: book/means}]\n")
    write_whole(tmp_path / "book" / "intro.md", "# Intro\n\nThe first words of it.\n\n## More\n\nOther words.\n")
    write_whole(tmp_path / "book" / "means.md", PAGE)
    write_whole(tmp_path / "CHANGELOG.md", "## [Unreleased]\n\n## [0.2.0] - 2027-01-31\n\n## [0.1.0] - 2026-11-26\n")
    return tmp_path


# Where the book stands


@pytest.mark.parametrize("urls, repository, site", [
    ("", "", ""),
    (f'Repository = "{HUB}"', HUB, "https://owner.github.io/book/"),
    (f'Repository = "{HUB}/"', HUB, "https://owner.github.io/book/"),
    ('Repository = "https://gitlab.com/a/b"', "https://gitlab.com/a/b", "https://a.gitlab.io/b/"),
    (f'Repository = "{HUB}"\nDocumentation = "https://book.example"', HUB, "https://book.example/"),
    ('Documentation = "https://book.example/x/"', "", "https://book.example/x/"),
])
def test_the_sites_address_follows_from_the_repositorys(root, urls, repository, site):
    project(root, urls)
    assert publication.place(root) == (repository, site)


def test_a_documentation_host_says_its_own_address(root, monkeypatch):
    project(root, f'Repository = "{HUB}"')
    monkeypatch.setenv(publication.HOSTED, "https://book.example/en/latest/")
    assert publication.place(root) == (HUB, "https://book.example/en/latest/")


@pytest.mark.parametrize("urls, words", [
    ('Repository = "github.com/owner/book"', "Repository in [project.urls] of pyproject.toml must be an address, "
     "https://host/…, got 'github.com/owner/book'"),
    ('Documentation = "https://book example"', "Documentation in [project.urls] of pyproject.toml must be an address, "
     "https://host/…, got 'https://book example'"),
    ('Repository = "https://github.com/owner"', "Repository in [project.urls] of pyproject.toml must be "
     "https://host/owner/name, got 'https://github.com/owner'"),
    ('Repository = "https://forge.example/a/b"', "the pages of forge.example have no address that we know: name it as "
     "Documentation in [project.urls] of pyproject.toml"),
])
def test_an_address_that_is_none_is_named(root, urls, words):
    project(root, urls)
    with pytest.raises(pages.BookError, match=f"^{re.escape(words)}$"):
        publication.place(root)


# A site of two pages, by Sphinx and the theme, with and without a repository

CONF = """
import sys
extensions = ["myst_nb", "small"]
html_theme = "sphinx_book_theme"
nb_execution_mode = "off"
exclude_patterns = ["_build"]
sys.path.insert(0, ".")
"""
SMALL = "from locmethods.companion.build import publication\n\ndef setup(app):\n    publication.connect(app)\n"


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """Return {with a repository or not: {page: HTML}} of a small book."""
    found = {}
    for urls in ("", f'Repository = "{HUB}"'):
        root = tmp_path_factory.mktemp("book")
        project(root, urls)
        write_whole(root / "_toc.yml", "root: book/intro\nchapters: [{file: book/means}]\n")
        write_whole(root / "conf.py", CONF)
        write_whole(root / "small.py", SMALL)
        write_whole(root / "index.md", "# Index\n\n```{toctree}\nbook/intro\nbook/means\n```\n")
        write_whole(root / "book" / "intro.md", "# Intro\n\nThe first words of it.\n\n## More\n\nOther words.\n")
        write_whole(root / "book" / "means.md", PAGE)
        record = {"name": "means-second", "alt": "A curve.", "files": ["means-second.png"]}
        write_json(root / "_build" / "records" / "figures" / "means" / "means-second.json", record)
        done = subprocess.run([sys.executable, "-m", "sphinx", "-b", "html", "-q", ".", "_build/html"], cwd=root,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found[bool(urls)] = {path.stem: path.read_text() for path in (root / "_build" / "html" / "book").glob("*.html")}
    return found


@pytest.mark.slow
def test_without_a_repository_nothing_names_another_place(sites):
    for html in sites[False].values():
        for words in ("github", "mybinder", "colab", "canonical", "og:url", "og:image", "btn-launch", "btn-source-"):
            assert words not in html.lower().replace("github-", ""), words


@pytest.mark.slow
def test_a_repository_turns_on_the_buttons_and_the_addresses(sites):
    html = sites[True]["means"]
    for address in (f"{HUB}/edit/main/book/means.md", f"{HUB}/issues/new?", f'"{HUB}"',
                    "https://mybinder.org/v2/gh/owner/book/main?urlpath=lab%2Ftree%2Fbook%2Fnotebooks%2Fmeans.ipynb",
                    "https://colab.research.google.com/github/owner/book/blob/notebooks/means.ipynb",
                    '<link rel="canonical" href="https://owner.github.io/book/book/means.html" />'):
        assert address in html, address
    assert publication.meta("og:url", "https://owner.github.io/book/book/means.html") in html
    assert publication.meta("og:image", "https://owner.github.io/book/figures/means-second.png") in html
    assert "mybinder" not in sites[True]["intro"], "a page without code runs nowhere"


@pytest.mark.slow
def test_a_page_says_in_its_head_what_it_is_about(sites):
    for site in sites.values():
        assert '<meta name="description" content="What is &quot;near&quot;? A kernel says it" />' in site["means"]
        assert '<meta property="og:title" content="The first" />' in site["means"]
        assert '<meta name="description" content="The first words of it." />' in site["intro"]


def test_a_repository_elsewhere_has_no_servers_that_run_it():
    assert publication.launch_links("https://gitlab.com/a/b", "means") == []
    assert publication.launch_links("", "means") == []


# Pictures for previews


def test_a_link_is_shown_by_the_first_figure_of_the_pages_text(root):
    folder = root / "_build" / "records" / "figures"
    for name in ("means-alpha", "means-second", "means-aaa", "intro-live"):
        write_json(folder / name.split("-")[0] / f"{name}.json", {"name": name, "alt": "x", "files": [f"{name}.png"]})
    assert publication.first_picture(root, "means")["name"] == "means-second"
    assert publication.first_picture(root, "notation")["name"] == "intro-live"


def test_a_figure_without_a_picture_of_pixels_is_no_preview(root):
    write_json(root / "_build" / "records" / "figures" / "means" / "means-a.json",
               {"name": "means-a", "alt": "x", "files": ["means-a.svg"]})
    assert publication.first_picture(root, "means") == {}


# The files beside the pages


def test_hosts_find_their_files(root):
    project(root, f'Repository = "{HUB}"')
    publication.leave_files(root, root / "book")
    files = {path.name: path.read_text() for path in (root / "book").iterdir() if path.suffix != ".md"}
    assert set(files) == {".nojekyll", "404.html", "index.html", "sitemap.xml"}
    assert re.findall("<loc>(.*?)</loc>", files["sitemap.xml"]) == [
        "https://owner.github.io/book/book/intro.html", "https://owner.github.io/book/book/means.html"]
    assert '<base href="/book/" />' in files["404.html"] and 'href="book/intro.html"' in files["404.html"]
    assert '<link rel="canonical" href="https://owner.github.io/book/book/intro.html" />' in files["index.html"]
    assert "<title>A &lt;book&gt;</title>" in files["index.html"] and "Local means &amp; more" in files["index.html"]


def test_without_an_address_no_file_names_one(root):
    publication.leave_files(root, root / "site")
    files = {path.name: path.read_text() for path in (root / "site").iterdir()}
    assert set(files) == {".nojekyll", "404.html", "index.html"}
    assert not re.search("https?:|<base|canonical", "".join(files.values()))


# The site below another address than a host's root


@pytest.fixture(scope="module")
def crawler():
    spec = importlib.util.spec_from_file_location("crawl", ROOT / ".ci" / "crawl.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(root):
    """Return a small whole site."""
    folder = root / "html"
    publication.leave_files(root, folder)
    write_whole(folder / "search.html", "<a href='book/intro.html'>x</a>")
    write_whole(folder / "book" / "intro.html",
                '<link href="../_static/a.css"><p id="here"><a href="means.html#there">x</a>')
    write_whole(folder / "book" / "means.html", '<a href="intro.html#here">x</a><a id="there" href="https://a.b/c">y</a>')
    write_whole(folder / "_static" / "a.css", "p { background: url('b.png') }")
    write_whole(folder / "_static" / "b.png", b"\x89PNG")
    return folder


def test_a_whole_site_is_found_whole_below_another_address(crawler, site):
    number, faults = crawler.crawl(site)
    assert faults == [] and number == 5, "the first, two pages, a style and its picture; no link leads to the search"


@pytest.mark.parametrize("file, old, new, words", [
    ("book/means.html", "intro.html#here", "/book/intro.html",
     "book/means.html leads to /book/intro.html, outside the site's folder"),
    ("book/means.html", "intro.html#here", "gone.html",
     "book/means.html leads to /owner/locmethods/book/gone.html, where nothing is"),
    ("book/means.html", "#here", "#gone",
     "book/means.html leads to /owner/locmethods/book/intro.html#gone, which that page does not have"),
    ("_static/a.css", "b.png", "c.png", "_static/a.css leads to /owner/locmethods/_static/c.png, where nothing is"),
    ("404.html", " href=", " was=",
     "at an address where nothing is the host answers 404, without a page that leads back"),
])
def test_what_leads_nowhere_is_named(crawler, site, file, old, new, words):
    text = (site / file).read_text()
    assert old in text
    (site / file).write_text(text.replace(old, new))
    assert words in crawler.crawl(site)[1]


def test_ci_crawls_the_site():
    assert ".ci/crawl.py" in (ROOT / ".ci" / "site").read_text()


# The workflows


def commands():
    """Return [(file, command)] of everything that the hosts run."""
    found = []
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            found += [(path.name, step["run"]) for step in job["steps"] if "run" in step]
    hosted = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text())
    return found + [(".readthedocs.yaml", command) for command in hosted["build"]["commands"]]


TARGETS = {name for names in re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
           for name in names.split()}


@pytest.mark.parametrize("file, command", commands())
def test_what_a_host_runs_is_there(file, command):
    for words in re.findall(r"\bmake ([a-z -]+)", command):
        assert set(words.split()) <= TARGETS, f"{file} makes what the Makefile does not: {words}"
    for script in re.findall(r"\.ci/[a-z.]+", command):
        assert (ROOT / script).exists(), f"{file} runs {script}"
    for name in re.findall(r"-m locmethods\.companion (\w+)", command):
        assert name in COMMANDS


def test_workflows_run_what_the_readme_says():
    run = [command for _, command in commands()]
    assert "make book" in run and "make test" in run and "bash .ci/site" in run


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_its_triggers_its_rights_and_known_actions(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow[True], "YAML reads the key on as true"
    assert workflow["permissions"], "a workflow takes the rights that it needs, and no others"
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        for step in job["steps"]:
            assert len({"run", "uses"} & set(step)) == 1
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1"))


def test_the_documentation_host_gets_the_site_where_it_looks_for_it():
    hosted = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text())
    assert hosted["version"] == 2 and {"os", "tools", "commands"} == set(hosted["build"])
    assert hosted["build"]["commands"][-1] == 'cp -r _build/html "$READTHEDOCS_OUTPUT/html"'


def test_the_executed_notebooks_get_a_branch_of_their_own(tmp_path):
    def git(*words, cwd=tmp_path / "clone"):
        return subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True).stdout

    git("init", "--quiet", "--bare", "origin.git", cwd=tmp_path)
    git("clone", "--quiet", "origin.git", "clone", cwd=tmp_path)
    clone = tmp_path / "clone"
    write_whole(clone / ".ci" / "notebooks", (ROOT / ".ci" / "notebooks").read_bytes())
    write_whole(clone / "_build" / "html" / "_sources" / "book" / "means.ipynb", "{}")
    write_whole(clone / "_build" / "html" / "_sources" / "book" / "means.md", "# x")
    for _ in range(2):  # a second time takes the place of the first
        subprocess.run(["bash", ".ci/notebooks"], cwd=clone, check=True, capture_output=True)
    assert git("ls-tree", "--name-only", "notebooks", cwd=tmp_path / "origin.git").split() == ["means.ipynb"]
    assert git("rev-list", "--count", "notebooks", cwd=tmp_path / "origin.git").strip() == "1"
    assert git("status", "--short").split() == ["??", ".ci/", "??", "_build/"], "nothing of the clone is staged"


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("w*.yml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_template_is_a_form(path):
    form = yaml.safe_load(path.read_text())
    assert form["name"] and form["description"]
    for field in form["body"]:
        assert field["type"] in ("input", "textarea") and field["id"] and field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])


# What is said of the book


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_files_for_archives_are_those_that_make_readme_writes():
    for file, text in metadata.texts(ROOT).items():
        assert (ROOT / file).read_text() == text, f"{file} is behind: run make readme and commit it"


def test_citation_codemeta_and_archive_agree_with_the_package():
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    meta, archive = (json.loads((ROOT / file).read_text()) for file in ("codemeta.json", ".zenodo.json"))
    assert {cff["version"], meta["version"], archive["version"], locmethods.__version__} == {PROJECT["version"]}
    assert {cff["license"], archive["license"], meta["license"].rsplit("/", 1)[1]} == {PROJECT["license"]}
    assert cff["date-released"] == meta["datePublished"] == archive["publication_date"]
    assert date.fromisoformat(cff["date-released"])
    names = [author["name"] for author in PROJECT["authors"]]
    for authors in (cff["authors"], meta["author"], archive["creators"]):
        assert [one["name"] for one in authors] == names
    assert cff["title"] == meta["alternateName"] and cff["title"] in archive["title"]
    assert meta["softwareRequirements"] == PROJECT["dependencies"]
    assert meta["keywords"] == archive["keywords"] == PROJECT.get("keywords", []) == cff.get("keywords", [])
    paper = cff["preferred-citation"]["identifiers"][0]["value"]
    assert archive["related_identifiers"][0]["identifier"] == paper and paper.split(":")[1] in (
        ROOT / "book" / "references.bib").read_text()
    repository = PROJECT.get("urls", {}).get("Repository")
    assert cff.get("repository-code") == meta.get("codeRepository") == repository


def test_a_repository_stands_in_all_of_it(root):
    project(root, f'Repository = "{HUB}"')
    texts = metadata.texts(root)
    assert yaml.safe_load(texts["CITATION.cff"])["repository-code"] == HUB
    assert json.loads(texts["codemeta.json"])["codeRepository"] == HUB


@pytest.mark.parametrize("heading, words", [
    ("## [0.1.9] - 2027-01-31", "the first is ## [0.1.9] - 2027-01-31"),
    ("## Soon", "the first is ## [0.1.0] - 2026-11-26"),
])
def test_a_version_without_its_release_is_named(root, heading, words):
    changes = root / "CHANGELOG.md"
    changes.write_text(changes.read_text().replace("## [0.2.0] - 2027-01-31", heading))
    with pytest.raises(pages.BookError, match=re.escape(words)):
        metadata.texts(root)


def test_the_changelog_keeps_its_form():
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    releases = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2})", heading) for heading in headings[1:]]
    assert releases and all(releases), headings
    versions = [tuple(map(int, found.groups()[:3])) for found in releases]
    assert versions == sorted(set(versions), reverse=True) and versions[-1] == (0, 1, 0)
    assert all(date.fromisoformat(found[4]) for found in releases)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds


def test_metadata_without_a_project_are_named(tmp_path):
    with pytest.raises(pages.BookError, match=re.escape("pyproject.toml must be there and have a table [project]")):
        metadata.project(tmp_path)


def test_pages_of_a_template_have_no_head_of_their_own():
    context = {"metatags": ""}
    publication.describe(SimpleNamespace(), "search", "search.html", context, None)
    assert context == {"metatags": ""}
