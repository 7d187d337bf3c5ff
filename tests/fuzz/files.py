"""Mutated files through everything that reads files: each loads rightly or is refused in a `UserError`.

    python tests/fuzz/files.py --count 5000 --seed 0
    python tests/fuzz/files.py --count 100000 --out benchmarks/trust/files.json

Each case takes a good file of one kind, applies a few mutations that its seed draws, and loads, checks, evaluates,
quantizes and plans it, in a child process whose memory and processor time are limited. Anything but success or a
`UserError` is a failure: another exception, too much memory, too much time, a crash. Failures are reduced to as few
mutations as show them, and kept with their tracebacks in --keep. With --out, `count` is that of all runs, and the file
of results is also where a run goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger import Ledger

MEMORY = 1 << 30  # bytes: of the whole child, and of its addresses beyond those with everything loaded
SECONDS = 20.0  # of the processor, a case
HANGING = 120.0  # seconds by the clock after which a case hangs
SAVED = 200  # cases between two writes of the results
MOST_STEPS = 4
MOST_LINES = 40  # of a refusal, which lists problems one a line


def case_of(seed: int, kinds: list[str]) -> tuple[str, list[int]]:
    """Kind and seeds of the mutations of a case."""
    rng = random.Random(seed)
    return kinds[seed % len(kinds)], [rng.randrange(1 << 30) for _ in range(rng.randrange(1, MOST_STEPS + 1))]


def mutate(folder: Path, steps: list[int]) -> None:
    """Apply the mutations to files of the folder."""
    from subjects import ENDINGS, TEXT

    for step in steps:
        rng = random.Random(step)
        path = rng.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
        damage = rng.random()
        if damage < 0.02:
            path.unlink()
            path.mkdir()
        elif damage < 0.03:
            path.unlink()
            os.mkfifo(path)
        else:
            mutation = rng.choice(ENDINGS.get(path.suffix, TEXT))
            path.write_bytes(mutation(path.read_bytes(), rng))
        if not any(p.is_file() for p in folder.rglob("*")):
            return


def run_case(good: Path, kind: str, steps: list[int]) -> tuple[str, str]:
    """(outcome, detail) of a case: loaded, refused or failed."""
    from subjects import SUBJECTS

    from bitwright.errors import UserError

    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name) / "case"
        shutil.copytree(good / kind, folder)
        mutate(folder, steps)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, HANGING)
        try:
            SUBJECTS[kind].use(folder)
        except UserError as error:
            text = str(error)
            good_text = text.strip() and text.count("\n") < MOST_LINES and "Traceback" not in text
            return ("refused", "") if good_text else ("failed", f"message: {text[:2000]!r}")
        except BaseException:
            return "failed", traceback.format_exc()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
    return "loaded", ""


def _too_long(_signal: int, _frame: Any) -> None:
    raise TimeoutError(f"more than {SECONDS:g} seconds of the processor, or {HANGING:g} by the clock")


def child(good: Path) -> None:
    """Run the cases that come in, a line each, and answer each with a line."""
    from subjects import SUBJECTS

    answers, sys.stdout = sys.stdout, io.StringIO()
    for kind, subject in SUBJECTS.items():  # loads and compiles what is needed, before memory is limited
        with tempfile.TemporaryDirectory() as name:
            shutil.copytree(good / kind, Path(name) / "case")
            subject.use(Path(name) / "case")
    sys.stderr = io.StringIO()
    for limit in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(limit, _too_long)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        kind, steps = json.loads(line)
        start = time.process_time()
        outcome, detail = run_case(good, kind, steps)
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if peak > MEMORY and outcome != "failed":
            outcome, detail = "failed", f"{peak / 2**20:,.0f} MiB of memory"
        print(json.dumps([outcome, detail, peak, seconds]), file=answers, flush=True)
        sys.stdout.seek(0), sys.stdout.truncate()


class Child:
    """A process that runs cases; a new one where it has died."""

    def __init__(self, good: Path) -> None:
        self.good = good
        self.process: subprocess.Popen[str] | None = None

    def run(self, kind: str, steps: list[int]) -> tuple[str, str, int, float]:
        """(outcome, detail, peak memory of the child in bytes, seconds of the processor)."""
        process = self.process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps([kind, steps]) + "\n")
        process.stdin.flush()
        answer = self._answer(2 * HANGING)
        if answer is None:
            self.stop()
            return "failed", f"the process died or hung (exit code {process.returncode})", 0, 0.0
        outcome, detail, peak, seconds = json.loads(answer)
        if peak > MEMORY:
            self.stop()  # the peak of later cases is their own
        return outcome, detail, peak, seconds

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, __file__, "--child", str(self.good)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        if self._answer(600) != "ready\n":
            raise RuntimeError("the child does not start: a good file is not taken")
        return self.process

    def _answer(self, seconds: float) -> str | None:
        assert self.process is not None
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        return (self.process.stdout.readline() or None) if ready else None

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def reduced(worker: Child, kind: str, steps: list[int]) -> list[int]:
    """As few of the mutations as still fail."""
    at = 0
    while at < len(steps) and len(steps) > 1:
        fewer = steps[:at] + steps[at + 1 :]
        if worker.run(kind, fewer)[0] == "failed":
            steps = fewer
        else:
            at += 1
    return steps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="cases")
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the next ones follow")
    parser.add_argument("--kinds", default="", help="kinds of files, separated by commas; default all")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="folder for what fails")
    parser.add_argument("--out", type=Path, help="file of results, which is also where a run goes on")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return 0
    return campaign(options)


def campaign(options: argparse.Namespace) -> int:
    """Run the cases, print the counts, keep the failures; 1 where there are any."""
    from subjects import SUBJECTS

    kinds = options.kinds.split(",") if options.kinds else list(SUBJECTS)
    ledger = Ledger(options.out, cases=0, kinds={}, failed=[], peak_mib=0, slowest=[0.0, 0])
    found = ledger.data
    with tempfile.TemporaryDirectory(prefix="fuzz-good-") as name:
        good = Path(name)
        with contextlib.redirect_stdout(io.StringIO()):
            for kind, subject in SUBJECTS.items():
                (good / kind).mkdir()
                subject.make(good / kind)
        worker = Child(good)
        for seed in range(options.seed + found["cases"], options.seed + options.count):
            kind, steps = case_of(seed, kinds)
            outcome, detail, memory, seconds = worker.run(kind, steps)
            found["slowest"] = max(found["slowest"], [round(seconds, 2), seed])
            found["peak_mib"] = max(found["peak_mib"], memory >> 20)
            counts = found["kinds"].setdefault(kind, {"loaded": 0, "refused": 0, "failed": 0})
            counts[outcome] += 1
            found["cases"] += 1
            ledger.count()
            if outcome == "failed":
                found["failed"].append([kind, seed, detail.strip().splitlines()[-1][:200]])
                keep(options.keep, good, kind, seed, reduced(worker, kind, steps), detail)
            if found["cases"] % SAVED == 0:
                ledger.save()
        worker.stop()
    ledger.save()
    show(found)
    return int(bool(found["failed"]))


def keep(folder: Path, good: Path, kind: str, seed: int, steps: list[int], detail: str) -> None:
    """Write the mutated files of a failure and what was raised."""
    target = folder / f"{kind.replace(' ', '-')}-{seed}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(good / kind, target / "case")
    mutate(target / "case", steps)
    (target / "steps.json").write_text(json.dumps([kind, steps]))
    (target / "detail.txt").write_text(detail)
    print(f"failed: {kind}, seed {seed}: {detail.strip().splitlines()[-1][:200]} ({target})", flush=True)


def show(found: Mapping[str, Any]) -> None:
    """Print the counts by kind and outcome."""
    outcomes = ("loaded", "refused", "failed")
    print(f"{'kind':<16}" + "".join(f"{o:>10}" for o in outcomes))
    for kind, counts in found["kinds"].items():
        print(f"{kind:<16}" + "".join(f"{counts[o]:>10}" for o in outcomes))
    print(f"{'all':<16}" + "".join(f"{sum(c[o] for c in found['kinds'].values()):>10}" for o in outcomes))
    print(f"peak memory {found['peak_mib']:,} MiB; slowest case {found['slowest'][0]} s (seed {found['slowest'][1]})")


if __name__ == "__main__":
    sys.exit(main())
