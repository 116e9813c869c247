"""The book's fonts, below book/_assets/fonts: the checksum of each file, as its authors' package has it.

Source Serif 4 for text and Source Code Pro for code, as variable fonts, from the npm packages
``@fontsource-variable/source-serif-4`` 5.3.1 and ``@fontsource-variable/source-code-pro`` 5.3.1: Latin letters, those
with accents, and Greek ones. Other signs come from what the reader's system has. The licence lies beside them.
"""

from __future__ import annotations

FONTS = {
    "source-code-pro-greek-wght-normal.woff2": "34dfcd3f61fc26a6ba2a7ee30eab6bc4bdc5d4872a8b49a90a17f1bf9e70553b",
    "source-code-pro-latin-ext-wght-normal.woff2": "ab316ee7e4a28a149fe9f74a3e9173c3d14a11bb7d4df898dd2fe10da7b7fe24",
    "source-code-pro-latin-wght-normal.woff2": "8b774aaa5137a38ef40f4ac9d36db9a5eee152b2f66589dfdc82ff007fc87135",
    "source-serif-4-greek-wght-italic.woff2": "faf378c4d30f3c6b0e0f70df1d1981d29c984753ecf9ce149c7bb2ef27cd56b7",
    "source-serif-4-greek-wght-normal.woff2": "54c4728aa0fd97d59b89b6d89b230065794b4c088c55efe71abc9ce882cfa853",
    "source-serif-4-latin-ext-wght-italic.woff2": "14e38c2d6a4ea6effcddde38f0262c03af252cbf82dbc68037f2d6c9112f2097",
    "source-serif-4-latin-ext-wght-normal.woff2": "d10ccbbd0dc4ebae2938958dc1f622a53460fe297e9c958564742dd684309c3f",
    "source-serif-4-latin-wght-italic.woff2": "b4f56ddc9873487f1c9a3ad5bbce31982fe89b951f57e4604f62b4c8a540fb19",
    "source-serif-4-latin-wght-normal.woff2": "382475f38242c52d42a3e5ff8dc69b5d73f10d0d21e4550b5fe232984688779a",
}
