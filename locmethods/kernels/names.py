"""How the parameters of a combined kernel are called: by the kernels that one reads in it, from left to right.

``2.0 * Gaussian(0.5) * Epanechnikov(1.0) + Gaussian(2.0)`` is typed with three kernels, and they are ``gaussian_1``,
``epanechnikov`` and ``gaussian_2``: the class in lower case, numbered where two are alike, as scikit-learn's
`make_pipeline` names its steps. How products and sums are nested plays no part. A factor, a map of features or a mask
goes by the kernel that it stands at, ``gaussian_1__factor``; one around several kernels by ``product`` or ``sum``; and
one around the whole kernel by its own name, ``factor``.

A kernel is told here by its attribute ``within``: the parameters that hold what the algebra has combined.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections import Counter, defaultdict

from locmethods.numerics.settling import level_outside

__all__: list[str] = []


def every(kernel):
    """Yield a kernel and all that it is made of, whether they have names or not."""
    yield kernel
    for value in kernel.get_params(deep=False).values():
        if _is_kernel(value):
            yield from every(value)


def _is_kernel(value):
    return hasattr(value, "within") and not isinstance(value, type)


def parts(kernel):
    """Return what goes by a name inside a kernel: {name: [(place, part), …]}.

    A place is the tuple of attributes that leads to the part. Of a combined kernel a name has the kernel that was typed
    first, and then what stands around it alone; what stands around several has a name without such a kernel.
    """
    if not kernel.within:
        own = kernel.get_params(deep=False)
        return {name: [((name,), value)] for name, value in own.items()
                if hasattr(value, "get_params") and not isinstance(value, type)}
    groups = [group for name in kernel.within for group in _groups(getattr(kernel, name), (name,))]
    names = _numbered([label for label, _ in groups], kernel.get_params(deep=False))
    return dict(zip(names, (members for _, members in groups), strict=True))


def _groups(kernel, place):
    """Return [label, [(place, part), …]] for each name inside a kernel that stands at a place."""
    if not kernel.within:
        return [[_label(kernel), [(place, kernel)]]]
    found = [group for name in kernel.within for group in _groups(getattr(kernel, name), (*place, name))]
    own = settings(kernel)
    if not own:
        return found
    members = found[0][1]
    if len(found) == 1 and not own.keys() & {name for _, one in members for name in one.get_params(deep=False)}:
        members.append((place, kernel))
    else:
        found.insert(0, [_label(kernel.kernel), [(place, kernel)]])
    return found


def _label(kernel):
    """Return the name of a kernel's class in lower case, with single underscores."""
    return re.sub("_+", "_", type(kernel).__name__.lower()).strip("_")


def _numbered(labels, taken):
    """Return labels, those numbered that are not the only one or that are taken."""
    often, numbers, found = Counter([*labels, *taken]), defaultdict(lambda: itertools.count(1)), []
    for label in labels:
        name = label
        if often[label] > 1:
            name = next(one for one in (f"{label}_{i}" for i in numbers[label]) if one not in often)
        found.append(name)
    return found


def settings(kernel):
    """Return the parameters of a combined kernel that are no kernels which it combines: a factor, a mask, a map."""
    own = kernel.get_params(deep=False)
    return {name: value for name, value in own.items() if name not in kernel.within}


def inner_params(kernel):
    """Return the parameters of all parts of a kernel by their names, and the parts themselves."""
    found = {}
    for name, members in parts(kernel).items():
        for _, part in members:
            if getattr(part, "within", ()):
                values = settings(part)
            else:
                values, found[name] = part.get_params(), part
            found.update({f"{name}__{key}": value for key, value in values.items()})
    return found


def set_inner(kernel, params):
    """Set parameters of the parts of a kernel, and parts themselves, by their names.

    Raises
    ------
    ValueError
        If a name is unknown or a value is not admissible.
    """
    known, wanted = parts(kernel), defaultdict(dict)
    for name, value in params.items():
        head, _, tail = current_name(kernel, name).partition("__")
        if head in kernel.within:  # what had a name before 0.2 and has none now: a product inside, as a whole
            getattr(kernel, head).set_params(**{tail: value})
        elif head not in known or not (tail or _is_typed(known[head])):
            names = list(dict.fromkeys([*kernel.get_params(deep=False), *known]))
            raise ValueError(f"{type(kernel).__name__} has no parameter {head!r}; it has {names}")
        else:
            wanted[head][tail] = value
    for head, values in wanted.items():
        _set_members(kernel, known[head], values)


def _is_typed(members):
    """Return True if a name stands for a kernel, and not only for what stands around several."""
    return not getattr(members[0][1], "within", ())


def _set_members(kernel, members, values):
    """Set parameters of what goes by one name; the empty name is the kernel itself, which is replaced."""
    first = members[0][0]
    if "" in values:
        _at(kernel, first[:-1]).set_params(**{first[-1]: values.pop("")})
    for place, around in members[1:]:
        own = {name: values.pop(name) for name in settings(around) if name in values}
        _at(kernel, place).set_params(**own)
    _at(kernel, first).set_params(**values)


def _at(kernel, place):
    """Return the part of a kernel at a place."""
    for name in place:
        kernel = getattr(kernel, name)
    return kernel


# ---- names by place, which were those of get_params before 0.2 -----------------------------------------------------


def names_by_place(kernel):
    """Return {name by place: name} of parameters: ``left__kernel__bandwidth`` is where ``gaussian_1__bandwidth`` is.

    Of a kernel that is not combined both are the same.
    """
    if not kernel.within:
        own = kernel.get_params(deep=False)
        return {name: name for name in own} | {
            f"{name}__{place}": f"{name}__{inner}" for name, value in own.items() if _is_kernel(value)
            for place, inner in names_by_place(value).items()}
    found = {name: name for name in settings(kernel)}
    for name, members in parts(kernel).items():
        for place, part in members:
            at = "__".join(place)
            if part.within:
                found.update({f"{at}__{own}": f"{name}__{own}" for own in settings(part)})
            else:
                found[at] = name
                found.update({f"{at}__{old}": f"{name}__{new}" for old, new in names_by_place(part).items()})
    return found


def current_name(kernel, name):
    """Return a parameter's name; one by place, from before 0.2, is taken too, and a warning says what to write.

    Parameters
    ----------
    kernel : Kernel
    name : str

    Warns
    -----
    FutureWarning
    """
    head, _, tail = str(name).partition("__")
    if head not in kernel.within or not tail:
        return name
    now = names_by_place(kernel).get(name)
    warn_of_place(name, now)
    return now or name


def warn_of_place(name, now):
    """Say what a parameter is called that was named by its place; `now` is None for what has no name any more."""
    head, _, tail = name.partition("__")
    instead = f"is now called {now!r}" if now else f"has no name any more: set {tail!r} of the kernel's {head!r}"
    warnings.warn(f"the parameter {name!r} of a combined kernel {instead}", FutureWarning, stacklevel=level_outside())
