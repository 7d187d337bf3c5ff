"""What every target's cost model says of the benchmark networks: a photograph, to see what a change does to them.

    python benchmarks/estimates/run.py DATA [--networks FOLDER] [--output results.json]
    python benchmarks/estimates/run.py --before OLD.json [--output results.json]

Networks are made once and kept as `.bw` files in FOLDER, so that another version of the program can be asked about the
very same ones. `--before` lists every figure that differs between two photographs, and ends with exit code 1 if any
does. Layers are compared by the nodes that they compute, whatever they are called.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import bitwright as bw
from bitwright.network import Network

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "quantization"), str(HERE.parent / "tlmac")]
KINDS = ("lut", "ff", "bram36", "dsp")


def qonnx(name: str) -> Callable[[Path], Network]:
    return lambda data: bw.load(data / "qonnx" / f"{name}.onnx")


def quantized(name: str, weight_bits: int, activation_bits: int) -> Callable[[Path], Network]:
    def make(data: Path) -> Network:
        from data import CASES

        case = CASES[name](data)
        bits = {"weight_bits": weight_bits, "activation_bits": activation_bits}
        return bw.quantize(case.model, case.calibration[:64], **bits)

    return make


def residual(data: Path) -> Network:
    from resnet18 import resnet18

    return resnet18()


def digits(data: Path) -> Network:
    from bitwright import demo

    return bw.load(Path(demo.__file__).parent / "digits.onnx")


NETWORKS: dict[str, Callable[[Path], Network]] = {
    "digits": digits,
    "TFC_1W2A": qonnx("TFC_1W2A"),
    "TFC_2W2A": qonnx("TFC_2W2A"),
    "KWS": qonnx("kws_finn_submission_v0.7"),
    "resnet8 W8A8": quantized("resnet8", 8, 8),
    "resnet8 W4A4": quantized("resnet8", 4, 4),
    "resnet8 W2A4": quantized("resnet8", 2, 4),
    "kws W8A8": quantized("kws", 8, 8),
    "Lite0 W8A8": quantized("lite0", 8, 8),
    "ResNet-18 W3A3": residual,
}
OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {  # of each target, the first for all networks
    "tlmac": ({},),
    "bitsys": ({}, {"hardware": "ultra96_planes"}),
    "rap": ({}, {"size": 2}),
}


def network(name: str, data: Path, folder: Path) -> Network:
    """The network, from its file where it has one."""
    file = folder / f"{name.replace(' ', '_')}.bw"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        bw.save(NETWORKS[name](data), file)
    return bw.load(file)


def figures(found: Network, target: str, options: dict[str, Any]) -> dict[str, Any]:
    """The estimate as numbers, or the refusal."""
    (answer,) = (c for c in bw.compare(found, {target: options}) if c.target == target)
    if answer.estimate is None:
        return {"refusal": answer.refusal}
    estimate = answer.estimate
    rows = {}
    for row in estimate.rows:
        key = " ".join(row.nodes) or row.name
        while key in rows:
            key += "'"
        rows[key] = [*(round(getattr(row.resources, kind), 3) for kind in KINDS), row.cycles]
    total = {kind: round(getattr(estimate.total, kind), 3) for kind in KINDS}
    cycles = {"interval_cycles": estimate.interval_cycles, "latency_cycles": estimate.latency_cycles}
    return {"total": total, **cycles, "rows": rows}


def measure(data: Path, folder: Path, output: Path) -> None:
    result: dict[str, Any] = {"columns of rows": [*KINDS, "cycles"]}
    for name in NETWORKS:
        found = network(name, data, folder)
        for target, variants in OPTIONS.items():
            for options in variants:
                label = " ".join([name, target, *map(str, options.values())])
                result[label] = figures(found, target, options)
                print(label, result[label].get("total", "refused"), file=sys.stderr)
        output.write_text(json.dumps(result, indent=1) + "\n")


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path} / {key}" if path else key)
    else:
        yield path, tree


def differences(before: Path, after: Path) -> int:
    """Print what differs; how many figures do."""
    old, new = (dict(leaves(json.loads(file.read_text()))) for file in (before, after))
    changed = [key for key in old | new if old.get(key) != new.get(key)]
    for key in changed:
        print(f"{key}: {old.get(key)} -> {new.get(key)}")
    print(f"{len(changed)} of {len(old | new)} figures differ")
    return len(changed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--networks", type=Path, default=Path(gettempdir()) / f"bitwright-networks-{os.getuid()}")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    args = parser.parse_args()
    if args.before:
        return int(differences(args.before, args.output) > 0)
    if args.data is None:
        parser.error("DATA, the folder of the reference networks, is needed")
    measure(args.data, args.networks, args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
