"""The shape of the source tree: sizes, arrows between modules, names that belong to one place."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bitwright import targets
from bitwright.hardware.families import families

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "bitwright"
SOURCES = sorted(
    p for ext in ("py", "sv", "svh", "vlt", "j2", "toml", "cpp", "h", "rdl") for p in PACKAGE.rglob(f"*.{ext}")
)
PYTHON = [path for path in SOURCES if path.suffix == ".py"]
FOLDERS = sorted({path.parent for path in PYTHON})

MOST_FILES, MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 16, 400, 60, 8
VENDOR_LINES = (
    "xilinx.com:bd_rule",
    "xilinx.com:interface",
    "Xilinx",
)  # Vivado's own names; what comments say of measurements


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_folders_have_few_files(folder):
    assert len(list(folder.glob("*.py"))) <= MOST_FILES


def test_files_are_short():
    sources = (path for path in SOURCES if path.suffix in (".py", ".sv", ".svh"))
    assert {name(path) for path in sources if len(path.read_text().splitlines()) > MOST_LINES} == set()


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def parameters(function: ast.FunctionDef) -> int:
    """How many there are, without self and cls."""
    own = function.args
    names = [a.arg for a in (*own.posonlyargs, *own.args, *own.kwonlyargs, own.vararg, own.kwarg) if a is not None]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def is_command(path: Path, function: ast.FunctionDef) -> bool:
    """Whether its parameters are the options of a command."""
    return PACKAGE / "commands" in path.parents and function.name == "run"


def test_functions_are_short():
    long = {
        f"{name(path)}:{f.name}"
        for path in PYTHON
        for f in functions(path)
        if f.end_lineno - f.lineno + 1 > MOST_FUNCTION_LINES and not is_command(path, f)
    }
    assert long == set()


def test_functions_have_few_parameters():
    wide = {
        f"{name(path)}:{f.name}"
        for path in PYTHON
        for f in functions(path)
        if parameters(f) > MOST_PARAMETERS and not is_command(path, f)
    }
    assert wide == set()


def module(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in PYTHON}


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere: at its head, inside functions, for types alone."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)} has a relative import"
            found |= {m if (m := f"{node.module}.{a.name}") in MODULES else node.module for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {m for m in found if m in MODULES}


def test_imports_have_no_circle():
    """Modules are taken away that import none of the others that are left, until none is left."""
    left = {m: imports(path) - {"bitwright"} for m, path in MODULES.items()}
    while free := [m for m, needed in left.items() if not needed & left.keys()]:
        for m in free:
            del left[m]
    assert not left


def outside(folder: str) -> Iterator[tuple[Path, str]]:
    return ((path, path.read_text()) for path in SOURCES if (PACKAGE / folder) not in path.parents)


def test_only_targets_name_targets():
    pattern = re.compile(rf"\b({'|'.join(targets.names())})(?=_|\b)", re.I)
    assert [(name(path), pattern.findall(text)) for path, text in outside("targets") if pattern.search(text)] == []


def test_only_families_and_devices_name_families():
    own = [word for f in families().values() for word in (f.name, f.vendor, *f.folders, f.primitives)]
    pattern = re.compile(rf"\b({'|'.join(own)}|Lattice)\b|\b(?i:ecp5)")
    found = []
    for path, text in outside("hardware/families"):
        if path.suffix in (".py", ".j2", ".toml", ".cpp", ".h") and path.name != "devices.py":
            lines = (line for line in text.splitlines() if not any(word in line for word in VENDOR_LINES))
            found += [f"{name(path)}: {line.strip()}" for line in lines if pattern.search(line)]
    assert found == []


def test_the_network_knows_nothing_above_it():
    base = {"errors", "files", "jit", "limits", "network", "options", "parsing", "text"}
    for m, path in MODULES.items():
        if m.startswith("bitwright.network"):
            assert {found.split(".")[1] for found in imports(path)} <= base, m


def test_targets_do_not_know_each_other():
    for target in targets.names():
        for path in (PACKAGE / "targets" / target).rglob("*.py"):
            others = {m for m in imports(path) if m.startswith("bitwright.targets.")}
            assert {m.split(".")[2] for m in others} <= {target, "contract", "observation", "sizing"}, name(path)


def test_every_source_names_its_license():
    """In its first line: hand-written RTL is copied into users' designs."""
    assert [
        name(p) for p in SOURCES if "SPDX-License-Identifier: Apache-2.0" not in p.read_text().split("\n", 1)[0]
    ] == []


def test_an_operation_is_named_in_few_files():
    """What others need to know of it are its methods: definition, float graph, reader, export, lowering, evaluators."""
    assert len([path for path in PYTHON if re.search(r"\bResize\b", path.read_text())]) <= 8


def test_float_operations_are_told_by_their_classes():
    """The names are for people: what the stages ask for are classes and their methods."""
    pattern = re.compile(r"(?<!dtype)\.kind (?:==|!=|in|not in)\b")
    folders = ("models", "quantization", "training", "explore", "commands", "fast")
    assert [name(p) for f in folders for p in (PACKAGE / f).rglob("*.py") if pattern.search(p.read_text())] == []
