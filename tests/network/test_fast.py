"""The fast evaluator equals the definition, value by value."""

import numpy as np
import pytest
from random_networks import random_input

from bitwright.network import evaluate
from bitwright.network.fast import Evaluator

KINDS = {
    "usual": {},
    "wide": {"activation_bits": (8, 16), "input_bits": (8, 16), "channels": (1, 16)},
    "deep": {
        "image": True,
        "weight_bits": (4, 12),
        "activation_bits": (12, 20),
        "input_bits": (8, 20),
        "bipolar": False,
    },
    "few": {"weight_bits": (1, 2), "activation_bits": (1, 3), "input_bits": (1, 2), "channels": (4, 40)},
    "vector": {"image": False, "channels": (1, 60)},
}


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("kind", KINDS)
def test_every_value_equals_the_definition(random_network, kind, seed):
    network = random_network(seed, **KINDS[kind])
    x = random_input(network, 6, seed)
    expected = evaluate(network, x)
    fast = Evaluator(network, threads=1)
    found = fast.run(x, list(expected))
    for name, value in expected.items():
        assert found[name].dtype == np.int64
        np.testing.assert_array_equal(found[name], value, err_msg=f"{name}: {network}")
    np.testing.assert_array_equal(fast.run(x), expected[network.output_name])
