"""Commands that are killed at random moments, and started again.

    python tests/fuzz/kills.py --count 200 --out benchmarks/trust/kills.json

Each trial starts a command with a fresh cache, kills it (SIGKILL) once or more at random moments, and lets it end in
the last start. What it leaves must be, byte for byte, what an undisturbed run leaves; after each kill no output may be
half-written, and no process that the command has started may live for longer than GRACE seconds. The file of results is
also where a run goes on. The command ends with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from ledger import Ledger

from bitwright import demo
from bitwright.models.export import to_onnx
from bitwright.models.graph import FloatGraph, FloatNode, ops

GRACE = 2.0
MARK = "BITWRIGHT_TRIAL"  # an environment variable by which the processes of a trial are found
PROGRAM = Path(sys.executable).with_name("bitwright")
ASKED = {  # arguments of commands; the last one is what they leave
    "compile": "compile digits.bw -O interval=2304 -o out",
    "quantize": "quantize float.onnx --data data.npz -o out.bw",
    "search": "search float.onnx --data data.npz --budget 1500 -o out.bw",
    "fit": "fit float.onnx --data data.npz --device xc7a35t -S weight_candidates=2,4,8 -S finalists=2 -o out",
    "finetune": "finetune float.onnx --data data.npz --steps 300 --weight-bits 2 -O checkpoint_seconds=0.2 -o out.bw",
}
COMMANDS = {name: text.split() for name, text in ASKED.items()}


def float_model() -> FloatGraph:
    """A small CNN with random weights."""
    rng = np.random.default_rng(0)
    nodes = [
        FloatNode("c1", ops.Conv(rng.normal(size=(8, 3, 3, 1)), np.zeros(8), pads=(1, 1, 1, 1)), ("input",)),
        FloatNode("r1", ops.Relu(), ("c1",)),
        FloatNode("p1", ops.MaxPool((2, 2), stride=(2, 2)), ("r1",)),
        FloatNode("c2", ops.Conv(rng.normal(size=(8, 3, 3, 8)) / 8, np.zeros(8), pads=(1, 1, 1, 1)), ("p1",)),
        FloatNode("r2", ops.Relu(), ("c2",)),
        FloatNode("f", ops.Flatten(), ("r2",)),
        FloatNode("d", ops.Dense(rng.normal(size=(4, 128)) / 11, np.zeros(4)), ("f",)),
    ]
    return FloatGraph.build(nodes, input_shape=(1, 8, 8), input_layout="CHW", name="small")


def prepare(folder: Path) -> None:
    """The files that the commands read."""
    import bitwright as bw

    (folder / "float.onnx").write_bytes(to_onnx(float_model()).SerializeToString())
    np.savez(folder / "data.npz", x=np.random.default_rng(1).random((256, 1, 8, 8), np.float32))
    bw.save(bw.load(Path(demo.__file__).with_name("digits.onnx")), folder / "digits.bw")


def digest(folder: Path, names: list[str]) -> str | None:
    """Of what a command leaves; None where nothing is there."""
    found = hashlib.sha256()
    paths = [folder / name for name in names]
    if not any(path.exists() for path in paths):
        return None
    for path in paths:
        for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
            found.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


class Trial:
    """A folder with the files, a cache of its own, and a command."""

    def __init__(self, command: str, good: Path, root: Path) -> None:
        self.arguments, self.names = COMMANDS[command], COMMANDS[command][-1:]
        self.folder = root / "work"
        shutil.copytree(good, self.folder)
        self.mark = root.name
        cache = root / "cache"
        self.environment = {**os.environ, MARK: self.mark, "HOME": str(cache), "XDG_CACHE_HOME": str(cache)}

    def start(self) -> subprocess.Popen[bytes]:
        command = [PROGRAM, *self.arguments]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=quiet, stderr=subprocess.PIPE)

    def finish(self) -> tuple[str | None, float]:
        """What an undisturbed start leaves, and its seconds; `RuntimeError` where it fails."""
        begun, process = time.perf_counter(), self.start()
        _, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"exit code {process.returncode}: {errors.decode()[-300:]}")
        return digest(self.folder, self.names), time.perf_counter() - begun

    def living(self) -> list[int]:
        """Processes of the trial."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"{MARK}={self.mark}".encode() in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def kill(self, seconds: float) -> list[str]:
        """Start, kill after so long; what is wrong then."""
        process = self.start()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        end = time.perf_counter() + GRACE
        while self.living() and time.perf_counter() < end:
            time.sleep(0.05)
        left = self.living()
        return [f"processes {left} live on"] if left else []


def run_trial(command: str, seed: int, good: Path, expected: str, seconds: float) -> dict[str, object]:
    """The record of a trial; expected: what an undisturbed run leaves; seconds: how long it takes."""
    rng, wrong, kills = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        trial = Trial(command, good, Path(name))
        for _ in range(rng.randrange(1, 4)):
            wrong += trial.kill(rng.uniform(0.05, 1.0) * seconds)
            kills += 1
            there = digest(trial.folder, trial.names)
            if there not in (None, expected):
                wrong.append(f"half-written after kill {kills}")
        try:
            found, _ = trial.finish()
            if found != expected:
                wrong.append("another result")
        except RuntimeError as error:
            wrong.append(str(error))
    return {"command": command, "seed": seed, "kills": kills, "wrong": wrong}


def campaign(count: int, out: Path | None, commands: list[str], first: int = 0) -> list[dict[str, object]]:
    """Trials until `count` kills of each command."""
    ledger = Ledger(out, trials=[])
    found: list[dict[str, object]] = ledger.data["trials"]
    with tempfile.TemporaryDirectory(prefix="kills-good-") as name:
        good = Path(name) / "good"
        good.mkdir()
        prepare(good)
        for command in commands:
            expected, seconds = Trial(command, good, Path(tempfile.mkdtemp(dir=name))).finish()
            assert expected is not None, f"{command} leaves nothing"
            seed = max((int(str(r["seed"])) + 1 for r in found if r["command"] == command), default=first)
            while sum(int(str(r["kills"])) for r in found if r["command"] == command) < count:
                found.append(run_trial(command, seed, good, expected, seconds))
                seed += 1
                if found[-1]["wrong"]:
                    print(json.dumps(found[-1]), flush=True)
                ledger.count(int(str(found[-1]["kills"])))
                ledger.save()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="kills of each command")
    parser.add_argument("--seed", type=int, default=0, help="of the first trial")
    parser.add_argument("--out", type=Path, help="file of results, which is also where a run goes on")
    parser.add_argument("--commands", default=",".join(COMMANDS), help="separated by commas")
    given = parser.parse_args()
    found = campaign(given.count, given.out, given.commands.split(","), given.seed)
    kills = Counter[str]()
    for record in found:
        kills[str(record["command"])] += int(str(record["kills"]))
    wrong = [record for record in found if record["wrong"]]
    print(f"{sum(kills.values())} kills ({dict(kills)}), {len(wrong)} of {len(found)} trials wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
