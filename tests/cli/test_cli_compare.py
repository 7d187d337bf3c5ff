"""`bitwright compare` and `bw.compare`: what every target would make of a network."""

import pytest

import bitwright as bw
from bitwright.devices import DEVICES, find_device
from bitwright.targets import names

LUTS = 10 + 11 + 12 + 13  # of the fake target's four layers


def test_every_target_answers_with_its_estimate(result, model):
    found = result("compare", model, "--device", "ultra96", "--clock-mhz", 100)
    (fake,) = found["targets"].values()
    assert fake["interval_cycles"] == 110
    assert fake["latency_cycles"] == 250
    assert fake["frames_per_second"] == 100e6 / 110
    assert fake["resources"]["lut"] == LUTS
    assert fake["utilization"]["lut"] == LUTS / find_device("xczu3eg").lut
    assert found["device"] == "xczu3eg"


def test_the_table_names_the_fullest_resource(run, model):
    code, out, _ = run("compare", model, "--device", "xc7a35t")
    assert code == 0
    assert "909,091" not in out
    assert "1,818,182" in out
    assert "frames/s at 200 MHz (assumed)" in " ".join(out.split())
    assert "estimated by the targets' cost models, in LUT6; the clock is assumed" in out
    assert "0 % lut" in out
    assert "does not fit" not in out


SMALL_LUTS = {"ecp5": 2.65, "gowin": 3.7}  # LUT4 of a LUT6, by family


@pytest.mark.parametrize("name", DEVICES)
def test_shares_are_of_the_cells_that_are_estimated(result, run, model, name):
    """A part that counts LUT4 has a share by the most LUT4 of a LUT6, and the table, the object and the list say so."""
    device, note = find_device(name), "counts its LUTs in LUT4, the cost models in LUT6"
    small = device.family in SMALL_LUTS
    found = result("compare", model, "--device", name)
    share = LUTS * SMALL_LUTS.get(device.family, 1) / device.lut
    assert found["targets"]["fake"]["utilization"]["lut"] == pytest.approx(share)
    assert (note in found["device_note"]) == small
    assert (found["clock_mhz"], found["clock_source"], found["lut_cell"]) == (200, "assumed", "LUT6")
    out = run("compare", model, "--device", name)[1]
    assert (note in " ".join(out.split())) == small
    assert device.lut_cell == ("LUT4" if small else "LUT6")


def test_a_refusal_is_an_answer(result, run, refused):
    refusal = result("compare", refused)["targets"]["fake"]["refusal"]
    assert refusal.startswith("target fake refuses the network: table:")
    assert "legal: Threshold or Requantize" in run("compare", refused)[1]


def test_options_go_to_the_target_they_name(monkeypatch, run, model):
    monkeypatch.setattr("fake_target.time.sleep", (slept := []).append)
    assert run("compare", model, "-O", "fake.delay=0.5")[0] == 0
    assert slept == [0.5]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("lanes=2", "option 'lanes=2' names no target; legal is target.key=value"),
        ("fake.speed=2", "target fake has no option 'speed'; legal are lanes, delay"),
        ("fake.lanes", "option 'lanes' has no value; legal is key=value"),
    ],
)
def test_bad_options(fails, model, option, message):
    assert fails("compare", model, "-O", option).startswith(message)


def test_an_unknown_target(network):
    with pytest.raises(bw.UserError, match="unknown target 'none'; legal are"):
        bw.compare(network, {"none": {}})


def test_the_real_targets_agree_with_compile(network):
    candidates = bw.compare(network, {"tlmac": {"interval": 32}})
    assert [c.target for c in candidates] == names()
    tlmac = candidates[-1]
    assert tlmac.estimate == bw.compile(network, "tlmac", interval=32).estimate
    assert all(c.refusal or c.estimate.total.lut > 0 for c in candidates)


def test_check_takes_the_options_of_targets(result, fails, model, monkeypatch):
    asked = []
    monkeypatch.setattr("fake_target.FakeTarget.check", lambda self, network, options: asked.append(options) or [])
    assert result("check", model, "-O", "fake.lanes=4")["targets"]["fake"]["accepts"]
    assert asked[0].lanes == 4
    assert fails("check", model, "-O", "lanes=2").startswith("option 'lanes=2' names no target")


def test_averages_over_fewer_pixels_at_the_edges_come_in(result, run, one_node_onnx, data, tmp_path):
    """`check` finds nothing that `quantize` would refuse."""
    for pads in ([1, 1, 1, 1], [0, 0, 0, 0]):
        path = one_node_onnx("pool.onnx", "AveragePool", [1, 2, 4, 4], kernel_shape=[2, 2], pads=pads)
        assert result("check", path)["problems"] == []
        assert run("quantize", path, "--data", data, "-o", tmp_path / "made.bw")[0] == 0


def test_pads_as_large_as_the_window_are_refused(fails, one_node_onnx):
    for operator in ("MaxPool", "AveragePool"):
        path = one_node_onnx("pool.onnx", operator, [1, 2, 4, 4], kernel_shape=[2, 2], pads=[2, 0, 0, 0])
        message = "has pads [2, 0, 0, 0] around a window of [2, 2]; legal are pads smaller than the window"
        assert message in fails("check", path)
