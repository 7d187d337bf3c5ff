"""A program: digests of what the quantizer makes of one CNN, by options, with as many threads as it is told."""

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np

import bitwright as bw
from bitwright.explore.search import search
from bitwright.models.graph import FloatGraph, FloatNode, ops
from bitwright.quantization.options import QuantizeOptions

CASES = (
    {"weight_rounding": "second_order", "weight_bits": 4},
    {"weight_rounding": "second_order", "weight_bits": 3, "refine_scales": True, "channel_scales": True},
)


def residual_graph(channels=32, size=8):
    """A residual block and a classifier: matrices large enough for BLAS to share among its threads."""
    rng = np.random.default_rng(7)

    def layer(name, source, inputs):
        weight = rng.normal(size=(channels, 3, 3, inputs)) / np.sqrt(9 * inputs)
        return FloatNode(name, ops.Conv(weight, rng.normal(size=channels) * 0.1, pads=(1, 1, 1, 1)), (source,))

    nodes = [layer("stem", "input", 3), FloatNode("x0", ops.Relu(), ("stem",))]
    for k in range(1):
        nodes += [layer(f"a{k}", f"x{k}", channels), FloatNode(f"r{k}", ops.Relu(), (f"a{k}",))]
        nodes += [layer(f"b{k}", f"r{k}", channels), FloatNode(f"s{k}", ops.Add(), (f"b{k}", f"x{k}"))]
        nodes.append(FloatNode(f"x{k + 1}", ops.Relu(), (f"s{k}",)))
    pool = {"kernel": (size, size), "stride": (1, 1), "pads": (0, 0, 0, 0), "count_include_pad": False}
    nodes += [FloatNode("pool", ops.AveragePool(**pool), ("x1",)), FloatNode("flat", ops.Flatten(), ("pool",))]
    head = {"weight": rng.normal(size=(10, channels)), "bias": rng.normal(size=10)}
    nodes.append(FloatNode("head", ops.Dense(**head), ("flat",)))
    return FloatGraph.build(nodes, input_shape=(3, size, size), input_layout="CHW")


def main(jobs: int) -> None:
    graph = residual_graph()
    x = np.random.default_rng(8).normal(size=(40, 3, 8, 8)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            path = Path(folder) / "net.bw"
            bw.save(bw.quantize(graph, x, jobs=jobs, **case), path)
            print(hashlib.sha256(path.read_bytes()).hexdigest())
        rule = QuantizeOptions(weight_rounding="second_order", jobs=jobs)
        widths = {"weight_candidates": (3, 8), "points": 0, "samples": 8}
        found = search(graph, x, quantize=rule, jobs=min(jobs, 2), cache=folder, **widths)
        print([(p.loss, p.cost, sorted(p.widths.items())) for p in found.points])


if __name__ == "__main__":
    main(int(sys.argv[1]))
