"""Formal proofs of the RTL, for all inputs and any number of cycles.

    python tests/formal/prove.py                   # all; a table, and --json FILE
    python tests/formal/prove.py stream_fifo       # proofs of these modules

Yosys makes an and-inverter graph of a module in its harness (`harness/`), and property-directed reachability (command
`pdr` of ABC, which Yosys brings) shows that no assertion of the harness can fail, or finds how one does. What it does
not decide in time is searched for counterexamples of up to BOUND cycles (`bmc3`) and called bounded. Every harness is
shown to be alive, too: events that it counts do happen. Mutants, faults put into the RTL, must be found.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalogue import PROOFS, Proof

from bitwright.hardware import library
from bitwright.tools import yosys

HERE = Path(__file__).resolve().parent
HARNESS = HERE / "harness"
TARGETS = Path(library.__file__).parents[1] / "targets"
SECONDS = 120  # of a proof, and again of the search for counterexamples
BOUND = 30  # cycles

GRAPH = """read_verilog -sv -formal -defer {files}
prep -flatten -top proof
memory_map
async2sync
formalff -clk2ff -ff2anyinit
setundef -undriven -anyseq
opt -full
techmap
setundef -anyseq
opt -fast
dffunmap
aigmap
opt_clean
write_aiger -I -B -zinit -no-startoffset proof.aig
design -reset
read_verilog nothing.v
techmap
abc -g AND -script +backup;read_aiger,proof.aig;fold;strash;{engine};write_status,status.txt;restore;strash;map
"""
NOTHING = "module nothing(input a, input b, output c); assign c = a & b; endmodule\n"


@dataclass(frozen=True)
class Verdict:
    """status: "proven" (cycles: frames of the proof), "bounded" (no counterexample of so many cycles), "fails"."""

    status: str
    cycles: int
    engine: str
    seconds: float


def decide(proof: Proof, reach: bool = False, mutant: tuple[str, str, str] | None = None) -> Verdict:
    """Whether the assertions hold; `reach`: with the one that says that nothing happens."""
    start = time.perf_counter()
    for engine in (f"pdr,-T,{SECONDS}", f"bmc3,-F,{BOUND},-T,{SECONDS}"):
        with tempfile.TemporaryDirectory(prefix="proof-") as name:
            words = _run(proof, Path(name), engine, reach, mutant)
        seconds, kind = round(time.perf_counter() - start, 1), engine[: engine.index(",")]
        if words[0] == "snl_SAT":
            return Verdict("fails", int(words[1]) + 1, kind, seconds)
        if words[0] == "snl_UNSAT" and kind == "pdr":
            return Verdict("proven", int(words[1]), kind, seconds)
    return Verdict("bounded", int(words[1]) + 1, kind, seconds)


def sources(proof: Proof) -> dict[str, str]:
    """The files of the module and of what it needs, by bare name."""
    own = {path.name: path.read_text() for path in sorted(TARGETS.glob("*/rtl/*.sv*"))}
    return {Path(name).name: text for name, text in library.needed([proof.module, *proof.needs], own).items()}


def _run(proof: Proof, folder: Path, engine: str, reach: bool, mutant: tuple[str, str, str] | None) -> list[str]:
    """The words of ABC's status."""
    files = sources(proof)
    if mutant:
        name, old, new = mutant
        assert files[name].count(old) == 1, f"{name} holds {old!r} {files[name].count(old)} times"
        files[name] = files[name].replace(old, new)
    for name, text in (files | dict(proof.files)).items():
        (folder / name).write_text(text)
    macros = "".join(
        f"`define {name} {value}\n" for name, value in ({"DUT": proof.module} | dict(proof.values)).items()
    )
    head = macros + ("`define REACH\n" if reach else "") + (HARNESS / "common.svh").read_text()
    (folder / "proof.sv").write_text(head + (HARNESS / f"{proof.harness}.sv").read_text())
    designs = sorted(name for name in files if name.endswith(".sv"))
    (folder / "nothing.v").write_text(NOTHING)
    (folder / "proof.ys").write_text(GRAPH.format(files=" ".join(["proof.sv", *designs]), engine=engine))
    yosys.execute(yosys.find(), ["-q", "-s", "proof.ys"], folder, folder / "log.txt")
    status = folder / "status.txt"
    assert status.exists(), f"{proof.name}: no status; {(folder / 'log.txt').read_text()[-500:]}"
    return status.read_text().split()


def check(proof: Proof) -> dict[str, object]:
    """The verdict of a proof, of its harness and of its mutants, as JSON has it."""
    found, alive = decide(proof), decide(proof, reach=True)
    missed = [
        f"{m[0]}: {m[2] or 'nothing'} in place of {m[1]}"
        for m in proof.mutants
        if decide(proof, mutant=m).status != "fails"
    ]
    row = {"name": proof.name, "module": proof.module, "harness": proof.harness, "status": found.status}
    row |= {"cycles": found.cycles, "engine": found.engine, "seconds": found.seconds}
    return row | {
        "alive_after": alive.cycles if alive.status == "fails" else None,
        "mutants": len(proof.mutants),
        "missed": missed,
    }


def keep(path: Path, row: dict[str, object]) -> None:
    """Put a row into the file of all rows, in place of what was there of the same proof; proofs that are gone leave."""
    rows = {old["name"]: old for old in json.loads(path.read_text())} if path.exists() else {}
    rows[row["name"]] = row
    path.write_text(json.dumps([rows[p.name] for p in PROOFS if p.name in rows], indent=1) + "\n")


def good(row: dict[str, object]) -> bool:
    """Whether nothing is wrong: no counterexample, a harness that lives, every mutant found."""
    return row["status"] != "fails" and row["alive_after"] is not None and not row["missed"]


def table(rows: list[dict[str, object]]) -> str:
    """A Markdown table of the modules, and the modules without a proof."""
    lines = ["| module | shown | parameter sets | frames | faults found |", "| --- | --- | --- | --- | --- |"]
    for module in sorted({str(row["module"]) for row in rows}):
        own = [row for row in rows if row["module"] == module]
        shown = "proven" if all(row["status"] == "proven" for row in own) else "bounded in part"
        mutants = sum(int(str(row["mutants"])) for row in own)
        lines.append(f"| `{module}` | {shown} | {len(own)} | {max(int(str(r['cycles'])) for r in own)} | {mutants} |")
    every = {*library.modules(), *(path.stem for path in TARGETS.glob("*/rtl/*.sv"))}
    rest = sorted(every - {str(row["module"]) for row in rows} - {name for proof in PROOFS for name in proof.needs})
    return "\n".join([*lines, "", f"Tested by simulation alone: {', '.join(f'`{name}`' for name in rest)}."])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", help="default: all")
    parser.add_argument("--json", type=Path, help="file of all rows, in which these replace theirs")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--table", type=Path, help="print a table of the rows of this file, and prove nothing")
    given = parser.parse_args(arguments)
    if given.table:
        print(table(json.loads(given.table.read_text())))
        return 0
    unknown = set(given.modules) - {proof.module for proof in PROOFS}
    if unknown:
        parser.error(f"no proof of {', '.join(sorted(unknown))}")
    chosen = [proof for proof in PROOFS if not given.modules or proof.module in given.modules]
    rows = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for row in pool.map(check, chosen):
            rows.append(row)
            if given.json:
                keep(given.json, row)
            mark = "" if good(row) else "WRONG "
            print(
                f"{mark}{row['status']} ({row['engine']}, {row['cycles']}, {row['seconds']} s): {row['name']}",
                flush=True,
            )
    proven = sum(row["status"] == "proven" for row in rows)
    print(f"{proven} of {len(rows)} proven, {sum(row['status'] == 'bounded' for row in rows)} bounded")
    return int(not all(map(good, rows)))


if __name__ == "__main__":
    sys.exit(main())
