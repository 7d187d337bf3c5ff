"""Several networks in one bitstream of every programmable target: the shipped driver switches between them."""

import numpy as np
import pytest
from shipped_driver import shipped

import bitwright as bw
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, evaluate, ops


def network(name, channels, outputs, seed):
    """A convolution, thresholds and a dense layer."""
    rng = np.random.default_rng(seed)
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-8, 8, (channels, 3, 3, 2)), IntType(4, True)), ("input",)),
        Node("step", ops.Threshold(np.sort(rng.integers(-90, 90, (channels, 7)), 1), IntType(3)), ("conv",)),
        Node("flat", ops.Flatten(), ("step",)),
        Node("fc", ops.Dense(rng.integers(-8, 8, (outputs, 4 * channels)), IntType(4, True)), ("flat",)),
    ]
    return Network(InputSpec(TensorType((4, 4, 2), IntType(4))), nodes, name=name)


@pytest.mark.parametrize(("target", "options"), [("bitsys", {"hardware": "small"}), ("rap", {"size": 2})])
def test_networks_are_switched(target, options, tmp_path):
    networks = {name: network(name, *sizes) for name, sizes in {"a": (5, 3, 0), "b": (8, 10, 1)}.items()}
    bw.deploy({k: bw.compile(n, target, **options) for k, n in networks.items()}, tmp_path / "board", "ultra96")
    x = np.random.default_rng(2).integers(0, 16, (4, 4, 4, 2))
    with shipped(tmp_path / "board" / "driver.py").Driver(simulate=True, timeout_s=300) as driver:
        for name in ("a", "b", "a"):
            driver.load(name)
            expected = networks[name].leaving(evaluate(networks[name], x))
            assert np.array_equal(driver.execute_integers(x), expected)
