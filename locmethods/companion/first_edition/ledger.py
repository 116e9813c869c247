"""The identifiers of the claims: which chapter checks each, what kind it is, and where it comes from."""

from __future__ import annotations

from typing import NamedTuple

KINDS = {
    "ID": "identity", "ORD": "order", "LIM": "limit", "MON": "monotone", "INEQ": "inequality",
    "CEX": "counter-example",
}
SECTIONS = {
    "A": "Kernels, local means, local statistics", "B": "The trick and local models", "C": "Kernel methods",
    "D": "Lazy learning", "E": "Mean shift",
}


class Entry(NamedTuple):
    """One row of the ledger.

    Attributes
    ----------
    chapter : str
        The stem of the page that checks it.
    kinds : tuple of str
        Keys of `KINDS`.
    references : tuple of str
        Keys of the bibliography; empty for a short derivation of the book's own.
    """

    chapter: str
    kinds: tuple
    references: tuple


def _rows(table):
    rows = {}
    for line in table.strip().splitlines():
        name, chapter, kinds, *references = line.split()
        rows[name] = Entry(chapter, tuple(kinds.split("/")), tuple(references))
    return rows


LEDGER = _rows("""
A1 means ID
A2 means ID/CEX banerjee2005
A3 means ID koenker1978 tibshirani1987
A4 means ID
A5 means CEX huber1964
A6 kernels ID
A7 kernels ID/INEQ
A8 kernels CEX
A9 kernels ID/CEX chung1997 coifman2006
A10 kernels CEX
A11 kernels CEX
A12 kernels CEX
A13 kernels ID jebara2004
A14 kernels ID/CEX schur1911 schoenberg1938
A15 means ORD
A16 kernels ID epanechnikov1969 wand1995
A17 kernels ID amid2019
A18 kernels ORD coifman2006 hein2007
A19 kernels MON
B1 trick LIM
B2 trick LIM
B3 trick ID/CEX cleveland1979 fan1996
B4 trick CEX
B5 trick ID
B6 trick ORD fan1992 ruppert1994
B7 trick ORD fan1996
B8 trick ORD stone1982 wand1995
B9 trick ID/CEX fukunaga1971 kambhatla1997
B10 trick ID/CEX
B11 trick CEX
B12 trick MON hastie1990
B13 trick ORD
B14 trick ID wang2010
B15 trick MON einbeck2006 chen2016
C1 kernel_methods ID nadaraya1964 watson1964
C2 kernel_methods LIM/CEX saunders1998
C3 kernel_methods ID silverman1984
C4 kernel_methods CEX rasmussen2006
C5 kernel_methods ID/CEX
C6 kernel_methods ID rasmussen2006
D1 lazy ID cover1967 aha1991 atkeson1997
D2 lazy LIM
D3 lazy LIM/INEQ cover1967
D4 lazy LIM shepard1968 devroye1998 belkin2019
D5 lazy ID craven1979 hastie1990
D6 lazy LIM
D7 lazy CEX
D8 lazy CEX
D9 lazy LIM degroot1974
D10 lazy LIM
D11 lazy ORD tukey1977 park2009
D12 lazy CEX cornillon2008 dimarzio2008
E1 meanshift ID cheng1995 comaniciu2002
E2 meanshift ID fukunaga1975
E3 meanshift MON comaniciu2002
E4 meanshift CEX
E5 meanshift ID
E6 meanshift ORD carreira2007
E7 meanshift ID comaniciu2002 huang2018
E8 meanshift CEX huang2018
E9 meanshift MON/CEX silverman1981
E10 meanshift CEX carreira2003
E11 meanshift INEQ
E12 meanshift ORD carreira2006 cheng1995
E13 meanshift CEX cheng1995 carreira2015
E14 meanshift ID
E15 meanshift ID hegselmann2002
""")


def entry(name):
    """Return the row of the claim `name`.

    Raises
    ------
    ValueError
        If the ledger has no such claim.
    """
    if name not in LEDGER:
        raise ValueError(f"a claim's id must be one of the ledger's, {', '.join(LEDGER)}; got {name!r}")
    return LEDGER[name]
