"""Check that the site has exactly the pages of `_toc.yml`: a build that skipped one must not pass."""

from __future__ import annotations

import sys
from pathlib import Path

from locmethods.companion.build.notebooks import pages


def main(root=None):
    """Stop with the missing or surplus pages named, if there are any."""
    root = Path.cwd() if root is None else Path(root)
    site = root / "_build" / "html"
    wanted = {str(page.relative_to(root).with_suffix(".html")) for page in pages(root)}
    built = {str(page.relative_to(site)) for page in (site / "book").glob("*.html")}
    if wanted != built:
        sys.exit(f"the site has not the pages of _toc.yml: missing {sorted(wanted - built)}, "
                 f"not in it {sorted(built - wanted)}; run make clean, then make book")
    print(f"{len(built)} pages, as many as _toc.yml has")


if __name__ == "__main__":
    main()
