"""Random networks: the definition in NumPy, the fast evaluator and both exported files, value by value.

    python tests/fuzz/evaluators.py --count 10000 --out benchmarks/trust/networks.json

`evaluate` is the definition. The fast evaluator must equal it in every value of the network; the QDQ and the QONNX
file that `export` writes, run by ONNX Runtime with its usual optimizations, must equal `predict`. The file of results
is also where a run goes on. The command ends with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "support"))

from ledger import Ledger  # noqa: E402
from random_networks import KINDS, random_input, random_network, random_ports  # noqa: E402

from bitwright.fast.evaluator import Evaluator  # noqa: E402
from bitwright.fast.export import FORMATS, exported  # noqa: E402
from bitwright.network import Network, evaluate  # noqa: E402
from bitwright.network.bundles import parts  # noqa: E402

SAMPLES = 6
SAVED = 50  # networks between two writes of the results
SHAPES: tuple[dict[str, Any], ...] = (
    *KINDS.values(),
    {"fan": True, "depth": (3, 10)},
    {"depthwise": 0.6, "image": True, "channels": (2, 24)},
)
PORTS = 8  # of so many seeds one has several inputs and outputs


def drawn(seed: int) -> Network:
    """The network of a seed."""
    kind = SHAPES[seed % len(SHAPES)]
    if seed % PORTS == PORTS - 1:
        return random_ports(seed, 1 + seed % 3, 1 + seed // 3 % 3, **kind)
    return random_network(seed, **kind)


def differences(seed: int) -> list[str]:
    """What differs for the network of a seed."""
    network = drawn(seed)
    x = random_input(network, SAMPLES, seed)
    expected, found = evaluate(network, x), []
    fast = Evaluator(network, threads=1).run(x, list(expected))
    found += [f"fast evaluator: {name}" for name, y in expected.items() if not np.array_equal(fast[name], y)]
    rng = np.random.default_rng([seed, 3])
    floats = {s.name: rng.uniform(s.low - 2, s.high + 2, (SAMPLES, *s.shape)) for s in network.inputs}
    for spec in network.inputs:  # codes as the floats that they stand for, and some beyond the grid
        floats[spec.name] = (floats[spec.name] * np.max(spec.scale)).astype(np.float32)
    answers = parts(network.predict(floats), tuple(spec.name for spec in network.outputs))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    for kind in FORMATS:
        session = onnxruntime.InferenceSession(exported(network, kind).SerializeToString(), options)
        given = session.run([spec.name for spec in network.outputs], floats)
        pairs = zip(answers.items(), given, strict=True)
        found += [f"{kind}: {name}" for (name, y), own in pairs if not np.array_equal(y, own)]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="networks, from seed 0 on")
    parser.add_argument("--out", type=Path, help="file of results, which is also where a run goes on")
    given = parser.parse_args()
    ledger = Ledger(given.out, networks=0, wrong={})
    known = ledger.data
    start = time.perf_counter()
    for seed in range(known["networks"], given.count):
        try:
            found = differences(seed)
        except Exception as error:
            found = [f"{type(error).__name__}: {error}"]
        known["networks"] = seed + 1
        ledger.count()
        if found:
            known["wrong"][str(seed)] = found
            print(seed, found, flush=True)
        if known["networks"] % SAVED == 0:
            ledger.save()
    ledger.save()
    seconds = time.perf_counter() - start
    print(f"{known['networks']:,} networks, {len(known['wrong'])} wrong, {seconds:.0f} s")
    return int(bool(known["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
