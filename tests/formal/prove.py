"""Formal proofs of the RTL, for all inputs and any number of cycles.

    python tests/formal/prove.py                   # all; a table, and --json FILE
    python tests/formal/prove.py stream_fifo       # proofs of these modules

Yosys makes an and-inverter graph of a module in its harness (`harness/`), and property-directed reachability (command
`pdr` of ABC, which Yosys brings) shows that no assertion of the harness can fail, or finds how one does. What it does
not decide in time is searched for counterexamples of up to BOUND cycles (`bmc3`) and called bounded. Where a proof
gives a depth, MiniSat (command `sat` of Yosys) shows it by induction of that depth, from lemmas on the registers if it
has some. Every harness is shown to be alive, too: events that it counts do happen. Mutants, faults put into the RTL,
must be found.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalogue import PROOFS
from proof import HOLD, Change, Proof

from bitwright.hardware import library
from bitwright.targets.rap.isa.package import package
from bitwright.tools import yosys

HERE = Path(__file__).resolve().parent
HARNESS = HERE / "harness"
TARGETS = Path(library.__file__).parents[1] / "targets"
SECONDS = 300  # of a proof, and again of the search for counterexamples
BOUND = 30  # cycles
CELLS = {"lattice": "+/ecp5/cells_sim.v"}  # models of the cells that primitives are made of, where Yosys has some
SOLVED = "no model found: SUCCESS!"

LOGIC = """read_verilog -D NO_INCLUDES {cells}
read_verilog -sv -formal -defer {files}
prep -flatten -top proof
memory_map
async2sync
formalff -clk2ff -ff2anyinit
setundef -undriven -anyseq
opt -full
techmap
setundef -anyseq
opt -fast
"""
GRAPH = """dffunmap
aigmap
opt_clean
write_aiger -I -B -zinit -no-startoffset proof.aig
design -reset
read_verilog nothing.v
techmap
abc -g AND -script +backup;read_aiger,proof.aig;fold;strash;{engine};write_status,status.txt;restore;strash;map
"""
INDUCTION = "opt_clean\ntee -o status.txt sat -tempinduct -prove-asserts -seq 1 -maxsteps {depth}\n"
LATCHES = "dffunmap\naigmap\nopt_clean\nwrite_aiger -ascii -symbols logic.aag\n"
CHANGES = "read_aiger -module_name changes changes.aag\ntee -o status.txt sat -prove bad 0\n"
NOTHING = "module nothing(input a, input b, output c); assign c = a & b; endmodule\n"


@dataclass(frozen=True)
class Verdict:
    """status: "proven" (cycles: frames of the proof), "bounded" (no counterexample of so many cycles), "fails"."""

    status: str
    cycles: int
    engine: str
    seconds: float


def decide(proof: Proof, reach: bool = False, mutant: Change | None = None) -> Verdict:
    """Whether the assertions hold; `reach`: with the one that says that nothing happens."""
    start = time.perf_counter()
    search = f"bmc3,-F,{BOUND},-T,{SECONDS}"
    if proof.depth == HOLD:
        engines = ["hold"]
    elif proof.depth:
        engines = [search] if reach or mutant else ["induction", search]
    else:
        engines = [f"pdr,-T,{SECONDS}", search]
    for engine in engines:
        with tempfile.TemporaryDirectory(prefix="proof-") as name:
            status, cycles = _run(proof, Path(name), engine, reach, mutant)
        seconds, kind = round(time.perf_counter() - start, 1), engine.split(",")[0]
        if status != "unknown":
            return Verdict(status, cycles, kind, seconds)
    return Verdict("bounded", cycles, kind, seconds)


def sources(proof: Proof) -> dict[str, str]:
    """The files of the module and of what it needs, by bare name."""
    own = {path.name: path.read_text() for path in sorted(TARGETS.glob("*/rtl/*.sv*"))} | {"rap_pkg.sv": package()}
    for vendor in ("generic", proof.vendor):
        own |= {path.name: path.read_text() for path in sorted(TARGETS.glob(f"*/rtl/prim/{vendor}/*.sv"))}
    return {Path(name).name: text for name, text in library.needed([proof.module, *proof.needs], own).items()}


def _run(proof: Proof, folder: Path, engine: str, reach: bool, mutant: Change | None) -> tuple[str, int]:
    """What an engine says, "proven", "fails" or "unknown", and of how many cycles."""
    _write(proof, folder, reach, mutant)
    designs = sorted(
        (path.name for path in folder.glob("*.sv")), key=lambda name: ("_pkg" not in name, name != "proof.sv")
    )
    logic = LOGIC.format(cells=CELLS.get(proof.vendor, "nothing.v"), files=" ".join(designs))
    status = folder / "status.txt"
    if engine == "hold":
        _yosys(folder, logic + LATCHES)
        (folder / "changes.aag").write_text(changes((folder / "logic.aag").read_text(), reach))
        _yosys(folder, CHANGES)
        return ("proven" if SOLVED in status.read_text() else "fails"), 1
    if engine == "induction":
        _yosys(folder, logic + INDUCTION.format(depth=proof.depth))
        text = status.read_text()
        if "Induction step proven: SUCCESS!" in text:
            return "proven", max(map(int, re.findall(r"induction step (\d+)", text)))
        return ("fails" if "model found for base case: FAIL!" in text else "unknown"), proof.depth
    _yosys(folder, logic + GRAPH.format(engine=engine))
    answer, frames, *_ = status.read_text().split()
    kind, cycles = engine.split(",")[0], int(frames)
    if answer == "snl_SAT":
        return "fails", cycles + 1
    return ("proven" if answer == "snl_UNSAT" and kind == "pdr" else "unknown"), cycles + (kind != "pdr")


def _write(proof: Proof, folder: Path, reach: bool, mutant: Change | None) -> None:
    """The harness, the RTL with its changes, and the contents of memories."""
    files = sources(proof)
    for name, old, new in (*proof.lemmas, *([mutant] if mutant else [])):
        assert files[name].count(old) == 1, f"{name} holds {old!r} {files[name].count(old)} times"
        files[name] = files[name].replace(old, new)
    lemmas = {path.name: path.read_text() for path in HARNESS.glob("*_lemma.svh")}
    for name, text in (files | dict(proof.files) | lemmas).items():
        (folder / name).write_text(text)
    (folder / "nothing.v").write_text(NOTHING)
    macros = "".join(
        f"`define {name} {value}\n" for name, value in ({"DUT": proof.module} | dict(proof.values)).items()
    )
    head = macros + ("`define REACH\n" if reach else "") + (HARNESS / "common.svh").read_text()
    (folder / "proof.sv").write_text(head + (HARNESS / f"{proof.harness}.sv").read_text())


def _yosys(folder: Path, script: str) -> None:
    (folder / "proof.ys").write_text(script)
    yosys.execute(yosys.find(), ["-q", "-s", "proof.ys"], folder, folder / "log.txt")


def changes(logic: str, reach: bool) -> str:
    """Of a graph (ASCII AIGER) with an output hold_o, one whose only output `bad` says that a register changes in a
    state with hold_o; `reach`: that hold_o is 1. Its inputs are those of the graph and all registers: any state counts.
    """
    lines = logic.splitlines()
    _, highest, inputs, latches, outputs, gates = (int(word) if word.isdigit() else 0 for word in lines[0].split()[:6])
    rows = lines[1 : 1 + inputs + latches + outputs + gates]
    place = next(int(line.split()[0][1:]) for line in lines if line.endswith(" hold_o"))
    pins, registers = rows[:inputs], [row.split() for row in rows[inputs : inputs + latches]]
    hold, added, differ = rows[inputs + latches + place], [], []

    def both(a: int, b: int) -> int:
        nonlocal highest
        highest += 1
        added.append(f"{2 * highest} {a} {b}")
        return 2 * highest

    for now, then, *_ in registers:
        same_up, same_down = both(int(now), int(then)), both(int(now) ^ 1, int(then) ^ 1)
        differ.append(both(same_up ^ 1, same_down ^ 1))
    none = 1
    for literal in differ:
        none = both(none, literal ^ 1)
    bad = int(hold) if reach else both(none ^ 1, int(hold))
    head = f"aag {highest} {inputs + latches} 0 1 {gates + len(added)}"
    return "\n".join(
        [
            head,
            *pins,
            *(row[0] for row in registers),
            str(bad),
            *rows[inputs + latches + outputs :],
            *added,
            "o0 bad",
            "",
        ]
    )


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
    """A Markdown table of the modules, and the modules without a proof of their own."""
    lines = [
        "| module | shown | parameter sets | by | frames | faults found |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for module in sorted({str(row["module"]) for row in rows}):
        own = [row for row in rows if row["module"] == module]
        shown = "proven" if all(row["status"] == "proven" for row in own) else "bounded in part"
        mutants = sum(int(str(row["mutants"])) for row in own)
        by = ", ".join(sorted({str(row["engine"]) for row in own}))
        most = max(int(str(row["cycles"])) for row in own)
        lines.append(f"| `{module}` | {shown} | {len(own)} | {by} | {most} | {mutants} |")
    every = {*library.modules(), *(path.stem for path in TARGETS.glob("*/rtl/*.sv"))}
    proven = {str(row["module"]) for row in rows}
    parts = {Path(name).stem for proof in PROOFS if proof.module in proven for name in sources(proof)} & every - proven
    rest = every - proven - parts
    for text, names in (("Proven as parts of these alone", parts), ("Tested by simulation alone", rest)):
        lines += ["", f"{text}: {', '.join(f'`{name}`' for name in sorted(names))}."]
    return "\n".join(lines)


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
