"""What code can reach by its imports, found by reading it: the modules of a package on which its outcome depends.

Every import counts, wherever it stands: at the head of a module or inside a function. A package whose names are loaded
when they are first used (it has a ``__getattr__``) counts name by name: ``import locmethods as lm`` followed by
``lm.local_mean`` depends on the home of ``local_mean`` and on no other subject. What can't be told by reading counts
as all of the package.
"""

from __future__ import annotations

import ast
from pathlib import Path

from locmethods.companion.build.pages import BookError


def parse(source, place, first_line=lambda: 1):
    """Return the syntax tree of some source.

    Parameters
    ----------
    source, place : str
        The code, and what a sentence calls it if it is not Python.
    first_line : callable, optional
        ``first_line()`` is the line on which it begins; asked only if it is needed.
    """
    try:
        return ast.parse(source)
    except SyntaxError as error:
        line = first_line() - 1 + (error.lineno or 1)
        raise BookError(f"{place}, line {line}, is not Python: {error.msg}") from None


class Modules:
    """The modules of the package in a folder, each read once.

    Parameters
    ----------
    root : path
        Where the package's folder lies.
    package : str, default="locmethods"
    """

    def __init__(self, root, package="locmethods"):
        self.root, self.package = Path(root), package
        self._files, self._trees, self._edges = {}, {}, {}

    def file(self, module):
        """Return the file of a module, or None if the package has no such module."""
        if module not in self._files:
            place = self.root.joinpath(*module.split("."))
            found = (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.exists())
            self._files[module] = next(found, None) if module.split(".")[0] == self.package else None
        return self._files[module]

    def tree(self, module):
        """Return the syntax tree of a module."""
        if module not in self._trees:
            file = self.file(module)
            self._trees[module] = parse(file.read_text(), file.relative_to(self.root).as_posix())
        return self._trees[module]

    def below(self, module):
        """Return a package with all modules in it."""
        file = self.file(module)
        if file.name != "__init__.py":
            return {module}
        files = (path.relative_to(self.root).with_suffix("") for path in file.parent.rglob("*.py"))
        return {".".join(path.parts).removesuffix(".__init__") for path in files}

    def is_lazy(self, module):
        """Return True if a package loads names when they are first used."""
        file = self.file(module)
        return file is not None and file.name == "__init__.py" and any(
            isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in self.tree(module).body)

    def homes(self, module):
        """Return {name: module} of the tables of a lazy package: its dicts of names and modules of its own."""
        found = {}
        for node in self.tree(module).body:
            table = _constant(node)
            for name, home in table.items() if isinstance(table, dict) else ():
                if isinstance(home, str) and self.file(f"{module}.{home}"):
                    found[name] = f"{module}.{home}"
        return found

    def source(self, module):
        """Return the text of a module that its outcome depends on: of a lazy package all but its tables.

        A new name in a table changes nothing for who doesn't use it; who does, depends on its home.
        """
        lines = self.file(module).read_text().splitlines(keepends=True)
        if self.is_lazy(module):
            for node in self.tree(module).body:
                if _constant(node) is not None:
                    lines[node.lineno - 1:node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
        return "".join(lines)

    def named(self, module, name):
        """Return the modules that ``module.name`` needs besides the module itself, and what the name is bound to.

        That is a module's name if it is a module, and None otherwise.
        """
        if self.file(f"{module}.{name}"):
            return {f"{module}.{name}"}, f"{module}.{name}"
        if not self.is_lazy(module) or name in _own_names(self.tree(module)):
            return set(), None
        home = self.homes(module).get(name)
        return ({home} if home else self.below(module)), None

    def imported(self, tree, module=""):
        """Return the modules that some code imports itself; `module` is the code's own name, if it is a module."""
        found, bound = set(), {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found |= self._prefixes(alias.name)
                    name = alias.name if alias.asname else alias.name.split(".")[0]
                    bound.setdefault(alias.asname or name, set()).add(name)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node, module)
                found |= self._prefixes(base)
                for alias in node.names:
                    if alias.name == "*":
                        found |= self.below(base) if self.is_lazy(base) else set()
                        continue
                    needed, target = self.named(base, alias.name)
                    found |= needed
                    if target:
                        bound.setdefault(alias.asname or alias.name, set()).add(target)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
                    "import_module", "__import__") and not (module and self.is_lazy(module)):
                literal = isinstance(node.args[0], ast.Constant) if node.args else False
                found |= self._prefixes(str(node.args[0].value)) if literal else self.below(self.package)
        return (found | self._used(tree, bound)) - {module}

    def reached(self, tree):
        """Return all modules that some code reaches, through any number of imports."""
        todo, found = self.imported(tree), set()
        while todo:
            module = todo.pop()
            if module not in found:
                found.add(module)
                if module not in self._edges:
                    self._edges[module] = self._prefixes(module) | self.imported(self.tree(module), module)
                todo |= self._edges[module]
        return found

    def _prefixes(self, name):
        """Return the modules that importing a dotted name runs: it, and the packages it lies in."""
        parts = name.split(".")
        names = [".".join(parts[:i + 1]) for i in range(len(parts))]
        return {name for name in names if self.file(name)}

    def _base(self, node, module):
        """Return the absolute name of what a ``from`` takes names from."""
        if not node.level:
            return node.module
        inside = module.split(".") + [""] * (self.file(module).name == "__init__.py")
        return ".".join(inside[:-node.level] + ([node.module] if node.module else []))

    def _used(self, tree, bound):
        """Return the modules that are used through the names in `bound`, each bound to some modules."""
        found, inner = set(), set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                inner.add(node.value)
        for node in ast.walk(tree):
            chain = _chain(node)
            if chain and node not in inner:
                for module in bound.get(chain[0], ()):
                    found |= self._along(module, chain[1:])
        return found

    def _along(self, module, names):
        """Return the modules that ``module.name.name…`` needs."""
        found = set()
        while self.file(module):
            if not names:  # the package itself is handed on: any name of it may be used
                return found | (self.below(module) if self.is_lazy(module) else set())
            needed, module = self.named(module, names[0])
            found |= needed
            if module is None:
                break
            names = names[1:]
        return found


def _chain(node):
    """Return the names of ``a.b.c`` where it is read, and None for any other expression."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return [node.id, *reversed(names)]
    return None


def _constant(node):
    """Return the value of an assignment of a constant dict, tuple, list or set, and None for any other statement."""
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.Dict | ast.Tuple | ast.List | ast.Set):
        try:
            return ast.literal_eval(value)
        except ValueError:
            pass
    return None


def _own_names(tree):
    """Return the names that a module defines or imports at its head."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
    return found
