"""How figures are drawn: here what any page may use, in the module of a page's stem what is that page's alone.

A page's drawing is a function ``draw(axes, table)`` that takes all that it shows from the table, which is the figure's
CSV read back.
"""
