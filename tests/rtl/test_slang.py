"""slang, a strict second front end, accepts every module of the library and every generated design."""

from pathlib import Path

import hardware
import pytest
from contract_network import image_network
from slang import errors

import bitwright as bw
from bitwright import targets
from bitwright.hardware import library as rtl
from bitwright.hardware.closure import flatten
from bitwright.hardware.library import with_vendor
from bitwright.network.passes import simplify
from bitwright.targets.contract import Refusal, make_options, make_plan

PACKAGE = Path(bw.__file__).parent
VENDORS = sorted(rtl.VENDORS)
# Option sets of the campaigns, and more that change the circuit.
ELEMENTS = ("private", "products", "gates", "shared", "shared_signed", "unrolled")
MORE = {"tlmac": [{"elements": (name, "private")} for name in ELEMENTS]}
DESIGNS = [(n, o) for n in targets.names() for o in [*hardware.fixed_options(n), *MORE.get(n, [])]]


@pytest.mark.parametrize("vendor", VENDORS)
def test_library(vendor):
    """Every module with its default parameters; vendors' cells are black boxes."""
    assert errors(rtl.sources(rtl.modules(), vendor), rtl.modules(), black_boxes=vendor != "generic") == []


@pytest.mark.parametrize(("name", "options"), DESIGNS)
def test_design(name, options):
    """With the primitives of every vendor."""
    target = targets.get(name)
    plan = make_plan(target, simplify(image_network()), make_options(target, options))
    if isinstance(plan, Refusal):  # a goal of the campaigns that this network cannot reach
        assert all("of at least" in problem.legal for problem in plan.problems)
        return
    design = target.emit(plan)
    files = flatten(design.files)
    versions = {vendor: with_vendor(files, vendor) for vendor in VENDORS}
    for vendor in (v for v in VENDORS if v == "generic" or versions[v] != files):
        assert errors(versions[vendor], [design.top], black_boxes=vendor != "generic") == []


@pytest.mark.parametrize("name", targets.names())
def test_modules_outside_the_design(name):
    """What a target has beside the parts of a design, with default parameters and a design's headers."""
    folder = PACKAGE / "targets" / name / "rtl"
    own = {f.name: f.read_text() for p in ("*.sv", "*.svh", "prim/generic/*.sv") for f in sorted(folder.glob(p))}
    design = flatten(bw.compile(image_network(), target=name, **hardware.fixed_options(name)[0]).files)
    tops = [Path(name).stem for name in own.keys() - design.keys() if name.endswith(".sv")]
    files = flatten(rtl.sources(rtl.modules())) | own | design
    assert not tops or errors(files, tops) == []


def test_it_finds_what_is_used_before_its_declaration():
    """Also in a generate block, where slang itself looks for names below."""
    text = "module m (output logic y_o);\n  {early}\n  logic late;\n  assign late = 1'b1;\nendmodule\n"
    for early in ("assign y_o = late;", "if (1) begin : g_block assign y_o = late; end"):
        assert len(errors({"m.sv": text.format(early=early)}, ["m"])) == 1
