"""`bitwright deploy`: what it writes for parts and boards, and what it refuses."""

import ast
import json
import os
from pathlib import Path

import pytest

import bitwright as bw

OVERLAY = {"README.md", "c", "deploy.json", "driver.py", "overlay.tcl", "reports.tcl", "sources"}


@pytest.fixture
def compiled(run, model, tmp_path):
    """A build folder of the fake target, without a program unless options say so."""

    def compiled(*options: str) -> Path:
        folder = tmp_path / "build"
        code, _, err = run("compile", model, "-o", folder, "--target", "fake", *options)
        assert code == 0, err
        return folder

    return compiled


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_board_gets_overlay_and_driver(result, compiled, tmp_path):
    out = tmp_path / "board"
    found = result("deploy", compiled(), "-o", out, "--device", "Ultra96", "--clock-mhz", 150)
    assert names(out) == OVERLAY
    assert (found["device"], found["board"], found["clock_mhz"]) == ("xczu3eg", "ultra96", 150)
    assert found["files"] == sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*") if p.name != "deploy.json")
    assert json.loads((out / "deploy.json").read_text())["design"] == found["design"]
    assert {"top.sv", "table.mem", "bitwright_overlay.v"} <= names(out / "sources")
    assert "-period 6.667 " in (out / "reports.tcl").read_text()
    assert "xczu3eg-sbva484-1-e" in (out / "overlay.tcl").read_text()
    readme = (out / "README.md").read_text()
    assert "scp overlay.bit overlay.hwh driver.py USER@BOARD" in readme
    assert "150 MHz" in readme
    assert f"Estimated: {found['throughput']['frames_per_second']:,.0f} frames a second, limited by the" in readme
    assert "'clock_mhz': 150.0" in (out / "driver.py").read_text()
    ast.parse((out / "driver.py").read_text())


def test_a_clock_that_the_design_does_not_reach_is_told(run, compiled, tmp_path):
    build = compiled()
    known = {"design": bw.load_design(build).digest, "device": {"name": "xczu3eg"}, "fmax_mhz": None}
    (build / "synthesis.json").write_text(json.dumps(known | {"fmax_estimated_mhz": {"mid": 180.0}}))
    for number, (mhz, told) in enumerate(((200, True), (150, False))):
        _, said, _ = run("deploy", build, "-o", tmp_path / f"{number}", "--device", "ultra96", "--clock-mhz", mhz)
        assert ("the design reaches 180 MHz (estimated) there" in said) is told
    _, said, _ = run("deploy", build, "-o", tmp_path / "other", "--device", "pynq-z2")
    assert "reaches" not in said
    (build / "synthesis.json").write_text(json.dumps(known | {"fmax_estimated_mhz": {"mid": "x"}}))
    code, _, err = run("deploy", build, "-o", tmp_path / "last", "--device", "ultra96")
    assert (code, "synthesis.json is damaged" in err) == (2, True)


def test_a_program_comes_along(result, compiled, tmp_path):
    out = tmp_path / "board"
    result("deploy", compiled("-O", "program=true"), "-o", out, "--device", "pynq-z2")
    assert names(out) == OVERLAY | {"program.npy"}
    assert "s_axil_awaddr" in (out / "sources" / "bitwright_overlay.v").read_text()


@pytest.mark.parametrize("device", ["xczu3eg", "arty-a7-35"])
def test_without_processors_there_is_no_driver(run, compiled, tmp_path, device):
    out = tmp_path / "part"
    code, said, err = run("deploy", compiled(), "-o", out, "--device", device)
    assert (code, err) == (0, "")
    assert names(out) == {"deploy.json", "reports.tcl", "sources"}
    assert f"no overlay and no driver for {device}; the boards that run PYNQ are ultra96, kv260, zcu104" in said


def test_several_networks_of_one_hardware(result, fails, run, model, tmp_path):
    """Their programs lie apart; the driver loads them by the names of their folders."""
    for name in ("one", "two"):
        assert run("compile", model, "-o", tmp_path / name, "--target", "fake", "-O", "program=true")[0] == 0
    out = tmp_path / "board"
    found = result("deploy", tmp_path / "one", tmp_path / "two", "-o", out, "--device", "ultra96")
    assert found["networks"] == ["one", "two"]
    assert names(out / "networks") == {"program_0.npy", "program_1.npy"}
    assert "scp overlay.bit overlay.hwh -r driver.py networks USER@BOARD" in (out / "README.md").read_text()
    assert "BITWRIGHT_NETWORKS 2" in (out / "c" / "bitwright.h").read_text()
    assert run("compile", model, "-o", tmp_path / "three", "--target", "fake")[0] == 0
    for other in ("one", "three"):
        line = fails("deploy", tmp_path / "two", tmp_path / other, tmp_path / other, "-o", out, "--device", "ultra96")
        assert line.startswith("two build folders have one name; legal are different ones")


def test_the_function_writes_the_same(result, compiled, tmp_path):
    build = compiled()
    result("deploy", build, "-o", tmp_path / "a", "--device", "kv260")
    found = bw.deploy(bw.load_design(build), tmp_path / "b", "kv260")
    assert "driver.py" in found["files"]
    for path in ("deploy.json", *found["files"]):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_an_earlier_deployment_is_replaced_but_no_results(result, fails, compiled, tmp_path):
    build, out = compiled(), tmp_path / "board"
    result("deploy", build, "-o", out, "--device", "ultra96")
    result("deploy", build, "-o", out, "--device", "xczu3eg")
    assert "driver.py" not in names(out)
    (out / "overlay.bit").write_bytes(b"hours of work")
    line = fails("deploy", build, "-o", out, "--device", "ultra96")
    assert line == f"{out} is no deployment (it holds overlay.bit); legal is a new, empty or earlier one"
    assert (out / "overlay.bit").read_bytes() == b"hours of work"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--board", "ulx3s-85f", "--baud", "9600"], "baud is 9600; legal are 115200, 230400, "),
        (["--board", "ulx3s-85f", "--class-names", "none.txt"], "cannot read none.txt: No such file"),
        (["--device", "ecp5-85k"], "Vivado does not know ecp5-85k; legal are xczu3eg, "),
        (["--device", "stratix"], "unknown device 'stratix'; legal are parts xczu3eg, "),
        (["--device", "ultra96", "--clock-mhz", "0"], "clock_mhz is 0; legal are 1 to 1000"),
        (["--device", "ultra96", "--clock-mhz", "nan"], "clock_mhz is nan; legal are 1 to 1000"),
        (["--device", "ultra96", "--jobs", "0"], "Invalid value for '--jobs'"),
        ([], "legal is either a --device or --board, or --ip, with --prefix where names need one"),
        (["--ip", "--device", "ultra96"], "legal is either a --device or --board, or --ip"),
        (["--prefix", "kws_", "--device", "ultra96"], "legal is either a --device or --board, or --ip"),
        (["--ip", "--prefix", "a b"], "prefix is 'a b'; legal are letters, digits and underscores"),
    ],
)
def test_bad_options(fails, compiled, tmp_path, options, message):
    build = compiled()
    assert fails("deploy", build, "-o", tmp_path / "out", *options).startswith(message)
    assert names(tmp_path) == {"build", "tiny.bw"}


def test_bad_folders(fails, compiled, tmp_path):
    build, options = compiled(), ["--device", "ultra96"]
    assert "is no build folder" in fails("deploy", tmp_path, "-o", tmp_path / "out", *options)
    line = fails("deploy", build, "-o", build, *options)
    assert line == f"{build} is no deployment (it holds design.json); legal is a new, empty or earlier one"
    assert bw.load_design(build).top == "top"
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert fails("deploy", build, "-o", taken, *options).startswith(f"{taken} is a file")


def test_a_full_disk_leaves_nothing(fails, compiled, tmp_path, monkeypatch):
    build, replace = compiled(), os.replace

    def full(source: object, target: object) -> None:
        if Path(target).name == "out":
            raise OSError(28, "No space left on device", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert fails("deploy", build, "-o", tmp_path / "out", "--device", "ultra96").endswith("No space left on device")
    assert names(tmp_path) == {"build", "tiny.bw"}


def test_a_block_for_other_projects(result, fails, compiled, tmp_path):
    build, out = compiled(), tmp_path / "ip"
    for prefix in ("kws_", "other_"):  # an earlier one is replaced
        found = result("deploy", build, "-o", out, "--ip", "--prefix", prefix)
        assert found["top"] == f"{prefix}top"
        own = {"deploy.json", "rtl", "bench", "component.xml", "project.tcl", "quartus.tcl"}
        assert names(out) == own | {f"{prefix}top.f", f"{prefix}top.core"}
        assert {path.name for path in (out / "rtl").iterdir()} >= {f"{prefix}top.sv", f"{prefix}table.mem"}
    (out / "mine.txt").write_text("mine")
    assert "is no block (it holds mine.txt)" in fails("deploy", build, "-o", out, "--ip")


BITSTREAMS = {  # constraints, bitstream, its loader, the PLL
    "ulx3s-85f": ("board.lpf", "board.bit", "openFPGALoader -b ulx3s board.bit", "EHXPLLL"),
    "tang-nano-9k": ("board.cst", "board.fs", "openFPGALoader -b tangnano9k board.fs", "rPLL"),
}


@pytest.mark.slow
@pytest.mark.parametrize("board", BITSTREAMS)
def test_a_board_with_a_serial_line_gets_a_bitstream(run, result, model, tmp_path, monkeypatch, board):
    monkeypatch.undo()  # the targets that there are
    constraints, bitstream, load, pll = BITSTREAMS[board]
    out = tmp_path / "board"
    code, _, err = run("compile", model, "-o", tmp_path / "build", "--target", "tlmac")
    assert code == 0, err
    found = result("deploy", tmp_path / "build", "-o", out, "--board", board, "--clock-mhz", 60)
    assert names(out) == {"deploy.json", "sources", "host.py", constraints, bitstream, "README.md"}
    assert found["clock_mhz"] <= 60
    assert found["fmax_mhz"] >= found["clock_mhz"]
    assert (out / bitstream).stat().st_size > 100_000
    assert found["load"] == load
    readme = (out / "README.md").read_text()
    assert f"`{load}`" in readme
    assert f"Estimated: {found['throughput']['frames_per_second']:,.0f} frames a second, limited by" in readme
    assert pll in (out / "sources" / "board_clock.sv").read_text()
    code, said, _ = run("deploy", tmp_path / "build", "-o", out, "--board", board, "--clock-mhz", 60)
    assert code == 0
    assert "try it without the board:" in said
