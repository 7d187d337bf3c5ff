# SPDX-License-Identifier: Apache-2.0
"""Modules as one Python file: their imports, then what they define, word for word."""

from __future__ import annotations

import ast
import inspect
from collections import defaultdict
from collections.abc import Collection, Sequence
from types import ModuleType

PACKAGE = "bitwright"
STANDS_IN = ("DESIGN", "FOLDER")  # of the file that is written; modules have empty ones
TYPES = ("InputSpec", "OutputSpec")  # which the file needs in annotations alone
Part = tuple[ModuleType, Collection[str] | None]


def assemble(parts: Sequence[Part]) -> tuple[str, str]:
    """Imports and source of modules in order, of each all definitions or those of the given names.

    Imports of this package are left out: what they name must be among the parts, or in the file already.
    """
    plain: set[str] = set()
    named: dict[str, set[str]] = defaultdict(set)
    kept = []
    for module, names in parts:
        text = inspect.getsource(module)
        for node in ast.parse(text).body:
            if isinstance(node, ast.Import):
                plain |= {f"import {a.name}" + (f" as {a.asname}" if a.asname else "") for a in node.names}
            elif isinstance(node, ast.ImportFrom):
                named[node.module or ""] |= {alias.name for alias in node.names}
            elif _wanted(node, names):
                kept.append(_segment(text, node))
    imports = sorted(plain) + [
        f"from {name} import {', '.join(sorted(found))}"
        for name, found in sorted(named.items())
        if name.partition(".")[0] not in (PACKAGE, "__future__")
    ]
    return "\n".join(imports), "\n\n\n".join(kept)


def _wanted(node: ast.stmt, names: Collection[str] | None) -> bool:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name in names if names is not None else node.name not in TYPES
    if names is not None or isinstance(node, ast.Expr):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return not any(isinstance(t, ast.Name) and t.id in STANDS_IN for t in targets)


def _segment(text: str, node: ast.stmt) -> str:
    """The lines of a statement, with its decorators."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
