"""What archives and indices read of the book: CITATION.cff, codemeta.json and .zenodo.json, made from pyproject.toml.

The version, the description and the keywords stand in ``pyproject.toml``, the day of the release in ``CHANGELOG.md``;
``make readme`` writes the three files, and a test says when they are behind.
"""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from pathlib import Path

from locmethods.companion.build import pages
from locmethods.companion.build.pages import BookError
from locmethods.companion.build.records import write_whole

# The paper that the book accompanies.
PAPER = {"title": "The General Theory of Localization Methods", "family": "Song", "given": "C.", "year": 2026,
         "arxiv": "2605.20635"}
ABSTRACT = ("The executable companion to the general theory of localization methods: a book whose chapters compute "
            "what they say, and the package locmethods.")
RELEASE = re.compile(r"^## \[?(\d+\.\d+\.\d+)\]? - (\d{4}-\d{2}-\d{2})$", re.MULTILINE)


def project(root):
    """Return the table [project] of pyproject.toml.

    Raises
    ------
    BookError
        If the file is missing, is no TOML, or has no such table.
    """
    try:
        return tomllib.loads((Path(root) / "pyproject.toml").read_text())["project"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise BookError(f"pyproject.toml must be there and have a table [project]: {error}") from None


def title(root):
    """Return the book's title."""
    return _title((Path(root) / "_config.yml").read_text())


@cache  # each figure's entry names the book, and YAML is slow to read
def _title(text):
    return pages.load_yaml(text, "_config.yml")["title"]


def release(root):
    """Return (version, day) of the latest release in the changelog.

    Raises
    ------
    BookError
        If there is none, or it is not the version of pyproject.toml.
    """
    found = RELEASE.search((Path(root) / "CHANGELOG.md").read_text())
    version = project(root)["version"]
    if not found or found[1] != version:
        raise BookError(f"CHANGELOG.md must have a heading ## [{version}] - YYYY-MM-DD, the version of pyproject.toml, "
                        f"before those of older releases; the first is {found[0] if found else 'missing'}")
    return found[1], found[2]


def texts(root):
    """Return {file: text} of what archives and indices read."""
    return {"CITATION.cff": citation(root), "codemeta.json": _json(codemeta(root)), ".zenodo.json": _json(zenodo(root))}


def write(root):
    """Write the files of `texts`."""
    for file, text in texts(root).items():
        write_whole(Path(root) / file, text)


def citation(root):
    """Return CITATION.cff: the book, and the paper as what is to be cited first."""
    import yaml

    found, (version, day) = project(root), release(root)
    paper = {"type": "article", "title": PAPER["title"],
             "authors": [{"family-names": PAPER["family"], "given-names": PAPER["given"]}], "year": PAPER["year"],
             "url": f"https://arxiv.org/abs/{PAPER['arxiv']}",
             "identifiers": [{"type": "other", "value": f"arXiv:{PAPER['arxiv']}",
                              "description": "The paper that this book accompanies"}]}
    record = {"cff-version": "1.2.0",
              "message": "Please cite the paper for the theory, and this book beside it for figures and code.",
              "title": title(root), "abstract": ABSTRACT, "type": "software",
              "authors": [{"name": author["name"]} for author in found["authors"]],
              "version": version, "date-released": day, "license": found["license"],
              **({"keywords": found["keywords"]} if found.get("keywords") else {}),
              **({"repository-code": repository} if (repository := _repository(found)) else {}),
              "preferred-citation": paper}
    return yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=120)


def codemeta(root):
    """Return the record of the package in CodeMeta's terms."""
    found, (version, day) = project(root), release(root)
    repository = _repository(found)
    return {"@context": "https://w3id.org/codemeta/3.0", "@type": "SoftwareSourceCode", "name": found["name"],
            "alternateName": title(root), "description": found["description"], "version": version,
            "datePublished": day, "license": f"https://spdx.org/licenses/{found['license']}",
            "author": [{"@type": "Organization", "name": author["name"]} for author in found["authors"]],
            "keywords": found.get("keywords", []), "programmingLanguage": "Python",
            "runtimePlatform": f"Python {found['requires-python']}", "softwareRequirements": found["dependencies"],
            "referencePublication": {"@type": "ScholarlyArticle", "name": PAPER["title"],
                                     "url": f"https://arxiv.org/abs/{PAPER['arxiv']}"},
            **({"codeRepository": repository, "issueTracker": f"{repository}/issues"} if repository else {})}


def zenodo(root):
    """Return the record that an archive of releases takes from the repository."""
    found, (version, day) = project(root), release(root)
    related = [{"identifier": f"arXiv:{PAPER['arxiv']}", "relation": "isSupplementTo",
                "resource_type": "publication-article", "scheme": "arxiv"}]
    return {"title": f"{found['name']}: {title(root)}", "upload_type": "software", "version": version,
            "publication_date": day, "description": ABSTRACT, "license": found["license"], "access_right": "open",
            "creators": [{"name": author["name"]} for author in found["authors"]],
            "keywords": found.get("keywords", []), "related_identifiers": related}


def _repository(found):
    return found.get("urls", {}).get("Repository", "").rstrip("/")


def _json(record):
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"
