"""What the weights of a chosen layer change in its cost, against Yosys."""

import numpy as np
import pytest

from bitwright.hardware.resources import Resources
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import Conv2d
from bitwright.synthesis import synthesize
from bitwright.targets import get
from bitwright.targets.contract import make_options
from bitwright.targets.tlmac.circuit.plan import TlmacPlan
from bitwright.targets.tlmac.model.cost import mac_cost, total, unit_cost
from bitwright.targets.tlmac.model.refine import tree

TLMAC = get("tlmac")
CELLS = {  # LUT and FF of Yosys 0.70
    "gates": (2565, 2832),
    "private": (1861, 2424),
}


def planned(element: str) -> TlmacPlan:
    """One convolution: of 8-bit weights that hardly reach -128; or of tables of 10 pairs, with constant bits."""
    rng, wide = np.random.default_rng(0), element == "gates"
    w = rng.integers(-127, 128, (16, 1, 1, 96)) if wide else rng.integers(-1, 2, (32, 1, 1, 20))
    w[3, 0, 0, 5] = -128 if wide else 7
    bits = IntType(8 if wide else 4, True)
    conv = Conv2d(w, bits)
    source = TensorType((12, 12, w.shape[3]), IntType(4))
    network = Network(InputSpec(source), (Node("conv", conv, ("input",)),), name=element)
    fold = {"lanes": 24, "outputs": 4} if wide else {"lanes": 20, "outputs": 16, "group": 2, "digit": 2}
    return TLMAC.plan(network, make_options(TLMAC, {"layers": {"conv": {"element": element, **fold}}}))


@pytest.mark.parametrize("element", CELLS)
def test_constant_bits_of_weights_cost_nothing(element):
    """Registers within 1.2 % of what Yosys builds, LUTs within 2.5 %; the planner's measure is larger by more."""
    (unit,) = planned(element).units
    found = total(unit_cost(unit))
    assert found.lut == pytest.approx(CELLS[element][0], rel=0.025)
    assert found.ff == pytest.approx(CELLS[element][1], rel=0.012)
    assert total(mac_cost(unit.mac)).ff > 1.04 * found.ff
    assert total(mac_cost(unit.mac)).lut > 1.04 * found.lut


def test_what_waits_long_in_a_tree_is_a_shift_register():
    """Of 9 leaves the last one waits for three levels: with its own register four in a row, 5 LUTs in place of them."""
    nine, eight = tree((5,) * 9, 4, 9), tree((5,) * 8, 3, 8)
    assert nine.lut == eight.lut + 5 + 5  # the shift register, the last adder
    assert nine.ff == eight.ff - 5 + 9  # its leaf's register, the last sum
    assert tree((5,) * 3, 2, 7) == Resources(lut=5 + 5, ff=6 + 5 + 7, carry=2 + 2)  # two registers stay
    assert tree((5, 0), 1, 6) == Resources(ff=5)


@pytest.mark.slow
@pytest.mark.parametrize("element", CELLS)
def test_constant_bits_vanish_in_synthesis(element):
    (unit,) = synthesize(TLMAC.emit(planned(element)), "xczu3eg").units
    assert (unit.resources.lut, unit.resources.ff) == CELLS[element]
    assert unit.estimate.bram36 == unit.resources.bram36
