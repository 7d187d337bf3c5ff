"""`fit` on ResNet-8 (CIFAR-10) for three parts, against what separate commands reach.

    python benchmarks/fit/run.py [--data ../shared/data] [--only PART ...] [--cache FOLDER]

On one process. The first part starts from an empty cache (FOLDER, with which a stopped run goes on); the others
find the networks that it measured there, as a user's second part does. Separately: `quantize` at 8 bits and `search
--max-loss 1`, then `compile --device PART --fastest` on every target. Results are written after every step; steps that
they hold are not repeated. Delete results.json to measure anew, or name a part by --again: what its runs on the same
cache took counts together, and the separate commands are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import bitwright as bw
from bitwright import targets
from bitwright.devices import find_device
from bitwright.errors import ModelError
from bitwright.explore.fit import FitResult
from bitwright.explore.search import network_of, search
from bitwright.network import Network
from bitwright.quantization.options import QuantizeOptions
from bitwright.targets.goals import FASTEST, Goals, reach

sys.path.append(str(Path(__file__).parents[1] / "quantization"))
from data import Case, resnet8

OUTPUT = Path(__file__).with_name("results.json")
PARTS = ("xc7z020", "ecp5-85k", "xczu3eg")
MAX_LOSS, MINUTES = 1.0, 15
UNIFORM = {"quantize W8A8": (8, 8)}
FINALISTS = 4  # networks for each target, 6 where nobody says otherwise
NEAR = 0.03  # to which `fit` finds the fastest designs that it does not recommend


def write(results: dict[str, Any]) -> None:
    OUTPUT.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def timed(run: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    wall, own = time.perf_counter(), os.times()
    found = run()
    after = os.times()
    seconds = (after.user + after.system) - (own.user + own.system)
    return found, {
        "processor_seconds": round(seconds, 1),
        "seconds": round(time.perf_counter() - wall, 1),
        "load_average": round(os.getloadavg()[1], 1),
    }


def fitted(case: Case, part: str, cache: Path, earlier: float | None) -> dict[str, Any]:
    """One row; earlier: processor seconds of runs that filled the cache for this part, which count as well."""

    def run() -> FitResult:
        settings = {
            "device": part,
            "max_loss": MAX_LOSS,
            "jobs": 1,
            "finalists": FINALISTS,
            "cache": str(cache / "fit"),
        }
        return bw.fit(case.model, case.calibration, case.x, case.labels, **settings)

    empty = not any((cache / "fit").rglob("*.json"))
    resumed = not empty and part == PARTS[0] and earlier is None
    result, spent = timed(run)
    best = result.recommendation
    again = None if best is None else bw.evaluate(result.network, case.x, case.labels).accuracy
    return {
        **({"resumed": True} if resumed else spent),  # the time of a resumed run says nothing
        "empty_cache": empty,
        "earlier_processor_seconds": earlier or 0.0,
        "samples": result.samples,
        "float_accuracy": 100 * result.float_accuracy,
        "recommended": None if best is None else point(best.network, best.target, 100 * best.lost, best),
        "accuracy_measured_again": None if again is None else 100 * again,
        "shortfall": result.shortfall,
        "front": [point(p.network, p.target, 100 * p.lost, p) for p in result.front],
        "designs": len(result.points),
    }


def point(network: str, target: str, lost: float, p: Any) -> dict[str, Any]:
    return {
        "network": network,
        "target": target,
        "lost": round(lost, 4),
        "frames_per_second": round(p.frames_per_second, 1),
        "share": round(p.share, 4),
        "fullest": p.fullest,
        "options": dict(p.options),
    }


def separate_networks(case: Case, folder: Path, results: dict[str, Any]) -> dict[str, tuple[Network, float]]:
    """The networks of the commands `quantize` and `search`, with the points of accuracy that they lose."""
    kept = folder / "separate"
    kept.mkdir(parents=True, exist_ok=True)
    table = results.setdefault("separate networks", {})
    for name in (*UNIFORM, "search --max-loss 1"):
        path = kept / f"{name.replace(' ', '_')}.bw"
        if name in table and path.exists():
            continue

        def run(name: str = name) -> Network:
            if name in UNIFORM:
                weight, activation = UNIFORM[name]
                return bw.quantize(case.model, case.calibration, weight_bits=weight, activation_bits=activation)
            made = QuantizeOptions()
            settings = {"max_loss": MAX_LOSS, "jobs": 1, "cache": str(folder / "search")}
            found = search(case.model, case.calibration, case.x, case.labels, quantize=made, **settings)
            return network_of(case.model, case.calibration, found, made)

        network, spent = timed(run)
        bw.save(network, path)
        measured = bw.evaluate(network, case.x, case.labels, float_model=case.model)
        table[name] = {**spent, "lost": round(100 * (measured.float_accuracy - measured.accuracy), 4)}
        write(results)
    return {name: (bw.load(kept / f"{name.replace(' ', '_')}.bw"), row["lost"]) for name, row in table.items()}


def separately(network: Network, name: str, lost: float, target: str, part: str) -> dict[str, Any]:
    """`compile --device PART --fastest` of one network on one target."""
    goals = Goals(device=part, size=FASTEST)
    try:
        (options, plan), spent = timed(lambda: reach(network, target, {}, goals))
    except ModelError as refused:
        return {"network": name, "target": target, "lost": lost, "refusal": str(refused)}
    shares = find_device(part).estimated_utilization(plan.estimate.total)
    fullest = max(shares, key=shares.__getitem__)
    return {
        **spent,
        "network": name,
        "target": target,
        "lost": lost,
        "frames_per_second": round(goals.clock.frames_per_second(plan.estimate.interval_cycles), 1),
        "share": round(shares[fullest], 4),
        "fullest": fullest,
        "options": options,
    }


def verdict(found: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether the recommendation keeps its bounds, and none of the separate designs beats it or the front."""
    best = found["recommended"]
    legal = [r for r in rows if "refusal" not in r and r["lost"] <= MAX_LOSS]
    fastest = max((r["frames_per_second"] for r in legal), default=0.0)

    def beats(row: dict[str, Any]) -> bool:
        """Whether no point of the front is as good as the separate design, to NEAR of frames a second."""
        return not any(
            p["lost"] <= row["lost"] and p["frames_per_second"] >= (1 - NEAR) * row["frames_per_second"]
            for p in found["front"]
        )

    return {
        "separate_fastest_within_loss": fastest,
        "recommended_over_separate": round(best["frames_per_second"] / fastest, 3) if best and fastest else None,
        "separate_above_the_front": [f"{r['network']} on {r['target']}" for r in legal if beats(r)],
        "accuracy_agrees": best is not None
        and abs(found["float_accuracy"] - found["accuracy_measured_again"] - best["lost"]) < 1e-3,
        "within_minutes": None if found.get("resumed") else seconds(found) < 60 * MINUTES,
        "holds": bool(best)
        and best["lost"] <= MAX_LOSS
        and best["frames_per_second"] >= 0.99 * fastest
        and not [r for r in legal if beats(r)],
    }


def seconds(found: dict[str, Any]) -> float:
    """Processor seconds of a row, those of the runs before it on the same cache among them."""
    return found["processor_seconds"] + found.get("earlier_processor_seconds", 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--again", nargs="*", default=(), choices=PARTS, help="measure these anew on the same cache")
    parser.add_argument("--cache", type=Path, default=Path(gettempdir()) / "bitwright-fit")
    arguments = parser.parse_args()
    case = resnet8(arguments.data)
    results: dict[str, Any] = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
    parts = results.setdefault("parts", {})
    for part in arguments.only:
        own = parts.setdefault(part, {})
        if "fit" not in own or part in arguments.again:
            row = own.get("fit", {})
            spent = [row[name] for name in ("processor_seconds", "earlier_processor_seconds") if name in row]
            own["fit"] = fitted(case, part, arguments.cache, sum(spent) if spent else None)
            write(results)
        rows = own.setdefault("separate", [])
        for name, (network, lost) in separate_networks(case, arguments.cache, results).items():
            for target in targets.names():
                if not any((r["network"], r["target"]) == (name, target) for r in rows):
                    rows.append(separately(network, name, lost, target, part))
                    write(results)
        own["verdict"] = verdict(own["fit"], rows)
        write(results)
    print(json.dumps({part: parts[part].get("verdict") for part in arguments.only}, indent=1))


if __name__ == "__main__":
    main()
