"""SystemVerilog through slang, a second front end: it elaborates, and takes only what the standard allows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyslang
from pyslang.driver import Driver

from bitwright.hardware.closure import flatten


def errors(files: Mapping[str, str], tops: Iterable[str], *, black_boxes: bool = False) -> list[str]:
    """What is illegal in the designs `tops`: slang's errors, and names that are used above their declaration.

    slang itself lets a generate block use a name that its module declares further down. black_boxes: modules without
    a file are taken as they are used.
    """
    with tempfile.TemporaryDirectory() as folder:
        flat = flatten(files)
        for name, text in flat.items():
            (Path(folder) / name).write_text(text)
        sources = [str(Path(folder) / name) for name in sorted(flat) if name.endswith(".sv")]
        options = [word for top in tops for word in ("--top", top)]
        options += ["--ignore-unknown-modules"] if black_boxes else []
        driver = Driver()
        driver.addStandardArgs()
        line = " ".join(["slang", *sources, "-I", folder, *options])
        if not (driver.parseCommandLine(line) and driver.processOptions() and driver.parseAllSources()):
            return ["slang does not read the sources"]
        compilation = driver.createCompilation()
        found = [d for d in compilation.getAllDiagnostics() if d.isError()]
        texts = [pyslang.DiagnosticEngine.reportAll(driver.sourceManager, [d]).strip() for d in found]
        return texts + sorted(_early_uses(compilation, driver.sourceManager))


def _early_uses(compilation, manager) -> set[str]:
    """Names in expressions that stand before their declaration in the same file."""
    found: set[str] = set()

    def visit(node) -> None:
        if not isinstance(node, pyslang.ast.NamedValueExpression):
            return
        use, declared = node.sourceRange.start, node.symbol.location
        if use.buffer == declared.buffer and use.offset < declared.offset:
            place = f"{Path(manager.getFileName(use)).name}:{manager.getLineNumber(use)}"
            found.add(f"{place}: {node.symbol.name!r} is used before its declaration")

    compilation.getRoot().visit(visit)
    return found
