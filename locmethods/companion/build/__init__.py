"""How pages become a book: run, recorded, frozen, drawn in two themes, and put together by Sphinx."""
