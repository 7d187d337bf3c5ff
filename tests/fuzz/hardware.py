"""Random networks through the hardware of a target: bits, cycles, refusals.

    python tests/fuzz/hardware.py TARGET --count 300 --seed 0 --out results.jsonl
    python tests/fuzz/hardware.py TARGET --count 300 --cycles 1000000 --ledger benchmarks/trust/frames.json

A seed draws a network, some with several inputs and outputs, a set of options of the target, stalls and frames
(`campaigns.toml`). Each one is checked, planned, emitted and simulated twice, without stalls and with random ones, and
appended to the file as one line of JSON.
A run resumes where the file ends, until `count` networks of the range have been simulated. Refused networks do not
count. With --cycles, as many frames with stalls as take about so many cycles by the estimate. A ledger keeps the
counts alone, of all targets and runs, and is also where a run goes on; what was wrong in it is tried anew. `check` and
`plan` must agree on what they refuse. The command ends with 1 where anything is wrong.

status: "exact"; "refused" (problems); "wrong" (values differ); "cycles" (a figure is not what the target claims);
"failed" (an exception, a stream that stops or breaks the rules, a contract that is not kept).
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import math
import sys
import time
import tomllib
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "support"))

from ledger import Ledger  # noqa: E402
from random_networks import random_input, random_network, random_ports  # noqa: E402

from bitwright import targets  # noqa: E402
from bitwright.network import Network, evaluate  # noqa: E402
from bitwright.network.passes import simplify  # noqa: E402
from bitwright.options import parse_options  # noqa: E402
from bitwright.simulation import SimulationResult, simulate  # noqa: E402
from bitwright.targets.contract import Plan, Refusal, Target, make_options  # noqa: E402
from bitwright.tools.model import Stalls  # noqa: E402

CAMPAIGNS = Path(__file__).with_name("campaigns.toml")
SEVERAL = 0.3  # share of the networks that are drawn with several inputs, outputs or both
GOOD = ("exact", "refused")
MOST_FRAMES = 20_000  # of a simulation
STEADY_FRAMES = 120  # without stalls, where frames must be steady: those of several inputs may leave in bursts
RELATIONS = {
    "equal": lambda measured, estimated: math.ceil(measured) == estimated,
    "near": lambda measured, estimated: abs(measured - estimated) <= max(2, 0.01 * estimated),
    "least": lambda measured, estimated: math.ceil(measured) >= estimated,
    "most": lambda measured, estimated: measured <= estimated,
}


def campaign(target: str) -> dict[str, Any]:
    """The target's table of `campaigns.toml`; a target without one gets its default options and every network."""
    found = tomllib.loads(CAMPAIGNS.read_text()).get(target, {})
    nothing = {
        "fast": [],
        "slow": 0,
        "options": [{}],
        "draw": {},
        "goals": [],
        "cycles": {},
        "counters": {},
        "without": "",
    }
    nothing["shapes"] = {"any": {}}
    return nothing | found


def fixed_options(target: str) -> list[dict[str, Any]]:
    """The target's option sets, without what is drawn."""
    return [_with_paths(options) for options in campaign(target)["options"]]


def _with_paths(options: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.format(tests=TESTS) if isinstance(v, str) else v for k, v in options.items()}


def drawn(plan: Mapping[str, Any], seed: int, fixed: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(name of the shape, options) of a seed; `fixed` options are the caller's."""
    rng = np.random.default_rng([seed, 1])
    shape = list(plan["shapes"])[seed % len(plan["shapes"])]
    options = dict(plan["options"][int(rng.integers(len(plan["options"])))])
    options |= {name: values[int(rng.integers(len(values)))] for name, values in plan["draw"].items()}
    return shape, _with_paths(options | dict(fixed))


@dataclass(frozen=True)
class Length:
    """Of a simulation: frames, 0 draws 3 to 9; cycles: about so many with stalls, by the estimate, in more frames."""

    frames: int = 0
    cycles: int = 0

    def long(self, interval: int) -> int:
        """Frames with stalls."""
        return min(self.cycles // max(interval, 1), MOST_FRAMES)


def run_seed(
    name: str, seed: int, length: Length = Length(), fixed: Mapping[str, Any] = {}, **more: Any
) -> dict[str, Any]:
    """The record of a seed. more: `cache_dir` of `simulate`."""
    plan, start = campaign(name), time.perf_counter()
    shape, options = drawn(plan, seed, fixed)
    record = {"target": name, "seed": seed, "shape": shape, "options": options}
    try:
        network = simplify(_network(seed, plan["shapes"][shape]))
        record |= _tried(network, targets.get(name), options, plan, seed, length, more)
    except Exception as error:
        record |= {"status": "failed", "error": f"{type(error).__name__}: {error}", "where": _where(error)}
    return record | {"seconds": round(time.perf_counter() - start, 2)}


def _network(seed: int, shape: Mapping[str, Any]) -> Network:
    """The network of a seed, of a shape; some have up to four inputs and outputs."""
    rng = np.random.default_rng([seed, 3])
    if rng.random() >= SEVERAL:
        return random_network(seed, **shape)
    inputs, outputs = (int(n) for n in rng.integers(1, 5, 2))
    return random_ports(seed, inputs, outputs, **shape)


def _where(error: Exception) -> list[str]:
    """The innermost calls of a traceback."""
    calls = traceback.extract_tb(error.__traceback__)[-5:]
    return [f"{Path(call.filename).name}:{call.lineno} {call.name}" for call in calls]


def _tried(network: Network, target: Target, options, plan, seed: int, length: Length, more) -> dict[str, Any]:
    """What a network did: status and figures."""
    chosen = make_options(target, options)
    problems, made = target.check(network, chosen), target.plan(network, chosen)
    told = made.problems if isinstance(made, Refusal) else ()
    broken = _contract(network, problems, told, set(options) & set(plan["goals"]))
    if broken:
        return {"status": "failed", "error": broken}
    if isinstance(made, Refusal):
        return {"status": "refused", "problems": [str(p) for p in told]}
    rng = np.random.default_rng([seed, 2])
    few = length.frames or int(rng.integers(3, 10))
    if plan["cycles"].get("interval") == "near":
        few = max(few, STEADY_FRAMES)
    x = random_input(network, max(few, length.long(made.estimate.interval_cycles)), seed)
    expected = network.leaving(evaluate(network, x))
    design = target.emit(made)
    quiet = simulate(design, x[:few], jobs=1, **more)
    stalls = Stalls(seed, float(rng.uniform(0, 0.7)), float(rng.uniform(0, 0.7)))
    paused = simulate(design, x, jobs=1, stalls=stalls, **more)
    wrong = [int(np.count_nonzero(result.outputs != expected[: len(result.outputs)])) for result in (quiet, paused)]
    estimated, measured, off = figures(plan, made, quiet)
    status = "wrong" if any(wrong) else "cycles" if off else "exact"
    return {
        "status": status,
        "frames": few,
        "stalled": len(x),
        "mismatches": wrong,
        "estimated": estimated,
        "measured": measured,
    } | ({"off": off} if off else {})


def _contract(network: Network, problems, told, goals: set[str]) -> str | None:
    """How check and plan contradict each other, but for goals, or a problem without what it owes the user."""
    if (problems and not told) or (told and not problems and not goals):
        return f"check finds {list(map(str, problems))}, plan finds {list(map(str, told))}"
    for problem in (*problems, *told):
        if not (problem.node is None or problem.node in network.types) or not problem.rule or not problem.legal:
            return f"no node of the network, no rule or nothing legal: {problem!r}"
    return None


def figures(plan: Mapping[str, Any], made: Plan, result: SimulationResult):
    """(estimated, measured, names of those that are not as claimed) of a run without stalls."""
    estimated = {"interval": made.estimate.interval_cycles, "latency": made.estimate.latency_cycles}
    measured = {"interval": result.interval_cycles, "latency": result.latency_cycles}
    claims = dict(plan["cycles"])
    batches = result.counters.get("batches", 1)
    claimed = {} if plan["without"] in result.counters else plan["counters"]
    for counter, detail in claimed.items():
        estimated[counter] = batches * sum(layer.details.get(detail, 0) for layer in made.estimate.layers)
        first, *others = (result.counters[name] for name in counter.split(" - "))
        measured[counter] = first - sum(others)
        claims[counter] = "equal"
    pairs = {name: (measured[name], estimated[name]) for name in claims if measured[name] is not None}
    return estimated, measured, [name for name, pair in pairs.items() if not RELATIONS[claims[name]](*pair)]


def records(path: Path | None) -> list[dict[str, Any]]:
    """The lines of a file of results; an unfinished last one is left out."""
    if path is None or not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def run(name: str, count: int, first: int, path: Path | None, **more: Any) -> Iterator[dict[str, Any]]:
    """Records of seeds from `first` on, until `count` networks were simulated; those of the file come first."""
    found = [r for r in records(path) if r["target"] == name and r["seed"] >= first]
    if path is not None and path.exists():
        path.write_text("".join(json.dumps(r) + "\n" for r in records(path)))
    yield from found
    seed = max((r["seed"] for r in found), default=first - 1)
    left = count - sum(r["status"] != "refused" for r in found)
    while left > 0:
        seed += 1
        record = run_seed(name, seed, **more)
        left -= record["status"] != "refused"
        if path is not None:
            with path.open("a") as file:
                file.write(json.dumps(record) + "\n")
        yield record


def tally(ledger: Ledger, name: str, record: Mapping[str, Any]) -> None:
    """Add a record to the counts of its target; what is wrong is kept whole, until it is tried anew."""
    found = ledger.data["targets"].setdefault(name, {"next": 0, "networks": 0, "refused": 0, "frames": 0, "wrong": []})
    found["next"] = max(found["next"], record["seed"] + 1)
    others = [r for r in found["wrong"] if r["seed"] != record["seed"]]
    found["networks"] -= len(found["wrong"]) - len(others)
    found["wrong"] = others
    if record["status"] == "refused":
        found["refused"] += 1
    elif record["status"] == "exact":
        found["networks"] += 1
        found["frames"] += record["frames"] + record["stalled"]
        ledger.count(record["frames"] + record["stalled"])
    else:
        found["networks"] += 1
        found["wrong"].append(dict(record))
    ledger.save()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", choices=targets.names())
    parser.add_argument("--count", type=int, default=300, help="networks to simulate")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--frames", type=int, default=0, help="frames a network; 0 draws 3 to 9")
    parser.add_argument("--cycles", type=int, default=0, help="of a simulation with stalls, at least, in more frames")
    parser.add_argument("--out", type=Path, help="file of JSON lines, which is also where a run goes on")
    parser.add_argument("--ledger", type=Path, help="file of the counts of all runs, which is also where a run goes on")
    parser.add_argument("-O", "--option", action="append", default=[], help="key=value, fixed for all networks")
    given = parser.parse_args(arguments)
    target = targets.get(given.target)
    fixed = parse_options(target.options, given.option, f"target {given.target}")
    ledger = Ledger(given.ledger, targets={})
    known = ledger.data["targets"].get(given.target, {"next": 0, "networks": 0, "wrong": []})
    count, start = (given.count - known["networks"], known["next"]) if given.ledger else (given.count, given.seed)
    counts = collections.Counter()
    more = {"length": Length(given.frames, given.cycles), "fixed": fixed}
    again = (run_seed(given.target, r["seed"], **more) for r in known["wrong"])
    for record in itertools.chain(again, run(given.target, count, start, given.out, **more)):
        counts[record["status"]] += 1
        tally(ledger, given.target, record)
        if record["status"] not in GOOD:
            print(json.dumps(record), flush=True)
    print(json.dumps({"target": given.target, "simulated": sum(counts.values()) - counts["refused"], **counts}))
    return int(any(counts[status] for status in counts if status not in GOOD))


if __name__ == "__main__":
    sys.exit(main())
