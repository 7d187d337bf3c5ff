"""The supply chain: locked dependencies with hashes, a bill of materials, an audit, wheels, versions.

    python tests/supply/chain.py lock                     # writes requirements/lock.txt anew
    python tests/supply/chain.py versions --out benchmarks/trust/supply.json
    python tests/supply/chain.py wheels sbom audit --out benchmarks/trust/supply.json

lock: the newest versions that pyproject.toml allows, of all platforms, with the hashes of all their files; without
PyTorch, whose smaller builds lie on an index of their own. versions: the tests below, once with the locked versions,
installed by their hashes, and once with the oldest that pyproject.toml allows. wheels: two builds in different
folders, at different times, are the same bytes. sbom: a CycloneDX bill of the locked environment, in dist/. audit:
pip-audit, or why it cannot run. Needs `uv`; the other tools are installed where they are used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fuzz"))

from ledger import Ledger  # noqa: E402

LOCK = ROOT / "requirements" / "lock.txt"
PYTHON = "3.11"
EPOCH = "1767225600"  # of wheels: 2026-01-01
WITHOUT = "torch ; python_version < '0'\n"  # an override that leaves a package out
TESTS = (
    "tests/network",
    "tests/readers/test_onnx_operators.py",
    "tests/cli/test_cli_habits.py",
    "tests/rtl/test_rtl_streams.py",
)
Row = dict[str, object]


def run(
    *command: str | Path, folder: Path = ROOT, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A command's outcome; `RuntimeError` where it fails, if it must not."""
    given = {**os.environ, **environment}
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {(done.stdout + done.stderr)[-2000:]}")
    return done


def resolved(path: Path, resolution: str) -> None:
    """Write the requirements of all of bitwright and its tests, with hashes."""
    with tempfile.TemporaryDirectory() as name:
        override = Path(name) / "without.txt"
        override.write_text(WITHOUT)
        options = ["--generate-hashes", "--universal", "--no-emit-index-url", "--no-emit-find-links", "--no-header"]
        options += ["--python-version", PYTHON, "--resolution", resolution, "--override", str(override)]
        run("uv", "pip", "compile", "-q", *options, "--extra", "test", "pyproject.toml", "-o", path)
    text = path.read_text()
    path.write_text(text.replace(f"{ROOT}/", "").replace(str(override), "an override"))


def environment(folder: Path, requirements: Path) -> Path:
    """The Python of a new environment with these requirements, each checked by its hash, and with bitwright."""
    run("uv", "venv", "-q", "--python", PYTHON, folder)
    python = folder / "bin" / "python"
    run("uv", "pip", "install", "-q", "--python", python, "--require-hashes", "--no-deps", "-r", requirements)
    run("uv", "pip", "install", "-q", "--python", python, "--no-deps", "-e", ROOT)
    return python


def lock(_: Path) -> Row:
    """Write requirements/lock.txt."""
    LOCK.parent.mkdir(exist_ok=True)
    resolved(LOCK, "highest")
    return {"packages": len(packages(LOCK)), "hashes": LOCK.read_text().count("--hash=sha256:")}


def packages(path: Path) -> dict[str, str]:
    """Versions by name."""
    lines = [line.split(";")[0].strip(" \\") for line in path.read_text().splitlines() if "==" in line.split(" ")[0]]
    return dict(line.split("==") for line in lines)


def versions(work: Path) -> Row:
    """The tests with the newest and with the oldest versions."""
    found: Row = {}
    oldest = work / "oldest.txt"
    resolved(oldest, "lowest-direct")
    for name, requirements in (("newest", LOCK), ("oldest", oldest)):
        python = environment(work / name, requirements)
        home = {"HOME": str(work / f"home-{name}"), "XDG_CACHE_HOME": str(work / f"cache-{name}"), "PYTHONPATH": ""}
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        done = run(python, "-m", "pytest", "-q", "-m", "not slow", *TESTS, check=False, PATH=path, **home)
        direct = {n: packages(requirements)[n] for n in ("numpy", "scipy", "numba", "onnx", "onnxruntime")}
        last = (done.stdout.strip().splitlines() or [done.stderr[-300:]])[-1]
        found[name] = {"passed": done.returncode == 0, "tests": last.strip("= "), "versions": direct}
    return found


def wheels(work: Path) -> Row:
    """Whether two builds are the same bytes."""
    digests = []
    for name in ("one", "another-one"):
        folder = work / name
        listed = run("git", "ls-files", "-z").stdout.split("\0")
        for file in filter(None, listed):
            target = folder / file
            if (ROOT / file).is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / file, target)
        run("uv", "build", "-q", "--wheel", "--out-dir", folder / "out", folder, SOURCE_DATE_EPOCH=EPOCH)
        (wheel,) = (folder / "out").glob("*.whl")
        digests.append(hashlib.sha256(wheel.read_bytes()).hexdigest())
    return {"sha256": digests, "equal": digests[0] == digests[1], "source_date_epoch": int(EPOCH)}


def sbom(work: Path) -> Row:
    """A CycloneDX bill of materials of the locked packages."""
    out = ROOT / "dist" / "sbom.json"
    out.parent.mkdir(exist_ok=True)
    run("uv", "tool", "run", "--from", "cyclonedx-bom", "cyclonedx-py", "requirements", LOCK, "--of", "JSON", "-o", out)
    bill = json.loads(out.read_text())
    parts = bill["components"]
    hashed = sum(bool(part.get("hashes") or part.get("externalReferences")) for part in parts)
    return {"format": f"{bill['bomFormat']} {bill['specVersion']}", "components": len(parts), "with_hashes": hashed}


def audit(_: Path) -> Row:
    """What pip-audit says of the locked packages."""
    asked = ["pip-audit", "--no-deps", "--disable-pip", "-r", LOCK, "-f", "json"]
    done = run("uv", "tool", "run", *asked, check=False)
    try:
        listed = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return {"ran": False, "reason": "the service of known faults was not reached"}
    faults = {d["name"]: [v["id"] for v in d["vulns"]] for d in listed if d.get("vulns")}
    return {"ran": True, "packages": len(listed), "faults": faults}


STEPS: dict[str, Callable[[Path], Row]] = {
    "lock": lock,
    "wheels": wheels,
    "sbom": sbom,
    "audit": audit,
    "versions": versions,
}


def good(row: Row) -> bool:
    """Whether nothing of a step is wrong."""
    inner = [value for value in row.values() if isinstance(value, dict) and "passed" in value]
    return row.get("equal", True) is True and not row.get("faults") and all(value["passed"] for value in inner)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="+", choices=list(STEPS))
    parser.add_argument("--out", type=Path, help="file of results; other steps' rows stay")
    given = parser.parse_args()
    ledger = Ledger(given.out, steps={})
    for step in given.steps:
        with tempfile.TemporaryDirectory(prefix="supply-") as name:
            row = STEPS[step](Path(name))
        ledger.data["steps"][step] = {**row, "commit": ledger.version}
        print(f"{step}: {json.dumps(row)}", flush=True)
        ledger.save()
    return int(not all(map(good, ledger.data["steps"].values())))


if __name__ == "__main__":
    sys.exit(main())
