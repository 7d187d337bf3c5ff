"""`fit`: one recommendation, a front without dominated points, the commands of each point; a run that resumes."""

import csv
import json
import re
import shlex

import numpy as np
import onnx
import pytest
from quick_fit import QUICK

import bitwright as bw
from bitwright.cli import main
from bitwright.explore.costs import Cost, network_cost
from bitwright.explore.fit.result import FitPoint, mark_front
from bitwright.models import to_onnx
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ptq import quantize_model


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def result(small_graph, data, labels, cache):
    return bw.fit(small_graph, data, data, labels, **QUICK, max_loss=10.0, cache=cache)


def point(lost, fps, share, name="n"):
    return FitPoint(name, "t", lost, 0.0, 0.0, None, {}, 1, 1, fps, {}, share, "lut")


def test_the_front_has_no_dominated_point_and_nothing_twice():
    points = [point(1, 100, 0.5), point(1, 100, 0.5), point(2, 100, 0.4), point(2, 90, 0.5), point(0, 10, 0.6)]
    front = [(p.lost, p.frames_per_second, p.share) for p in mark_front(points) if p.optimal]
    assert front == [(1, 100, 0.5), (2, 100, 0.4), (0, 10, 0.6)]


def test_the_recommendation_is_the_fastest_design_within_all_bounds(result):
    best = result.recommendation
    assert best.optimal
    assert best.lost <= 0.1
    assert best.share <= 0.8
    legal = [p for p in result.points if p.lost <= 0.1 and p.share <= 0.8]
    assert best.frames_per_second == max(p.frames_per_second for p in legal)
    for p in result.front:
        for q in result.points:
            assert not (
                q.lost <= p.lost
                and q.frames_per_second >= p.frames_per_second
                and q.share <= p.share
                and (q.lost, q.frames_per_second, q.share) != (p.lost, p.frames_per_second, p.share)
            )
    assert len({p.target for p in result.points}) > 1


def test_the_lightest_network_that_search_finds_gets_hardware(small_graph, data, labels, cache, result):
    same = {name: QUICK[name] for name in ("weight_candidates", "samples", "jobs")}
    found = bw.search(small_graph, data, data, labels, **same, max_loss=10.0, cache=cache)
    light = min(network_cost(result.networks[p.network], Cost()) for p in result.points if p.lost <= 0.1)
    assert light <= found.chosen.cost
    assert len(set(result.networks)) == len({n.digest for n in result.networks.values()})
    assert {p.target for p in result.points if network_cost(result.networks[p.network], Cost()) == light} >= {
        p.target for p in result.points
    }


def test_accuracy_is_that_of_the_integers(result, data, labels):
    for p in result.front:
        assert bw.evaluate(result.networks[p.network], data, labels).accuracy == pytest.approx(p.accuracy)
        assert p.lost == pytest.approx(1 - p.accuracy)


def test_figures_are_those_of_the_compiled_design(result):
    best = result.recommendation
    design = bw.compile(result.network, best.target, **best.options)
    assert design.estimate.interval_cycles == best.interval_cycles
    assert best.frames_per_second == 200e6 / best.interval_cycles
    device = bw.Goals(device="xczu3eg").part
    assert best.share == max(device.estimated_utilization(design.estimate.total).values())


def test_a_second_run_measures_nothing(small_graph, data, labels, cache, result):
    seen = []
    again = bw.fit(
        small_graph,
        data,
        data,
        labels,
        **QUICK,
        max_loss=10.0,
        cache=cache,
        progress=lambda what, done, total: seen.append((what, done, total)),
    )
    assert again.points == result.points
    assert [s for s in seen if s[0] in ("networks", "designs", "prices", "sensitivities") and s[1] < s[2]] == []


def test_frames_a_second_ask_for_the_least_share(small_graph, data, labels, cache, result):
    wanted = result.recommendation.frames_per_second / 3
    found = bw.fit(small_graph, data, data, labels, **QUICK, max_loss=10.0, fps=wanted, cache=cache)
    assert found.recommendation.frames_per_second >= wanted
    assert found.recommendation.share < result.recommendation.share
    assert all(p.frames_per_second >= wanted for p in found.points)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"max_loss": -200.0},
            r"max_loss=-200 is out of reach: the network that loses least, \w+, loses [\d.]+ points",
        ),
        ({"fill": 1e-4}, r"no target fits 0.01 % of xczu3eg: the nearest is \w+ on \w+, which takes [\d.]+ % of its"),
        ({"fps": 1e12}, r"fps=1e\+12 is out of reach within 80 % of xczu3eg: .* legal is fps of at most \d+"),
    ],
)
def test_what_is_out_of_reach_names_the_nearest(small_graph, data, labels, cache, options, message):
    found = bw.fit(small_graph, data, data, labels, **{**QUICK, "max_loss": 10.0, "cache": cache, **options})
    assert found.recommendation is None
    assert re.match(message, found.shortfall), found.shortfall
    assert "\n" not in found.shortfall


def test_the_nearest_frames_a_second_are_in_reach(small_graph, data, labels, cache):
    settings = {**QUICK, "max_loss": 10.0, "cache": cache}
    told = bw.fit(small_graph, data, data, labels, **settings, fps=1e12).shortfall
    nearest = int(re.search(r"at most (\d+)", told)[1])
    assert bw.fit(small_graph, data, data, labels, **settings, fps=nearest).recommendation is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": ""}, "device is missing"),
        ({"device": "xc9"}, "unknown device 'xc9'"),
        ({"targets": ("asic",)}, "unknown target 'asic'"),
        ({"fps": -1.0}, "fps is -1"),
        ({"speed": 3}, "fit has no option 'speed'"),
        ({"finalists": 0}, "finalists is 0; legal is at least 1"),
        ({"weight_candidates": (0,)}, "legal are widths of 1 to 16"),
    ],
)
def test_illegal_options_are_told(small_graph, data, cache, options, message):
    with pytest.raises(bw.UserError, match=message):
        bw.fit(small_graph, data, **{**QUICK, "cache": cache, **options})


def test_a_network_keeps_its_widths(small_graph, data, labels, cache):
    network = quantize_model(small_graph, data, QuantizeOptions(weight_bits=4)).network
    found = bw.fit(network, data, data, labels, **QUICK, cache=cache)
    assert {p.network for p in found.points} == {"network"}
    assert found.network.digest == network.digest
    assert found.recommendation.lost == 0  # it is its own reference


def test_fine_tuned_networks_are_on_offer(small_graph, data, labels, cache):
    pytest.importorskip("torch")
    found = bw.fit(small_graph, data, data, labels, **QUICK, max_loss=50.0, finetune_steps=2, cache=cache)
    assert any(p.fine_tuned for p in found.points)
    assert all(p.network.endswith("-tuned") == p.fine_tuned for p in found.points)


@pytest.fixture
def files(small_graph, data, labels, tmp_path):
    onnx.save(to_onnx(small_graph), tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=data, labels=labels)
    return tmp_path


def arguments(files, *more):
    quick = {**QUICK, "weight_candidates": "2,4,8", "activation_candidates": "4,8", "cache": files / "cache"}
    settings = [
        part for name, value in quick.items() if name not in ("device", "jobs") for part in ("-S", f"{name}={value}")
    ]
    fixed = ["--device", "xczu3eg", "--data", str(files / "data.npz"), "--jobs", "1", *settings]
    return ["fit", str(files / "model.onnx"), *fixed, *more]


def test_the_command_writes_networks_table_plot_and_commands_that_make_them(files, capsys, monkeypatch):
    folder = files / "found"
    assert main(arguments(files, "--max-loss", "10", "-o", str(folder), "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    best = found["recommendation"]
    assert found["version"] == 2
    assert found["goals"]["max_loss"] == 0.1
    assert all(0 <= best[name] <= 1 for name in ("accuracy", "agreement", "share"))
    assert best["lost"] == pytest.approx(found["float_accuracy"] - best["accuracy"])
    assert json.loads((folder / "fit.json").read_text()) == found
    rows = list(csv.DictReader((folder / "front.csv").read_text().splitlines()))
    assert len(rows) == len(found["points"])
    assert {"accuracy loss, points", "KL divergence, nats", "share of xczu3eg, %"} <= set(rows[0])
    assert [row["recommended"] for row in rows].count("yes") == 1
    page = (folder / "front.html").read_text()
    assert len(page) < 200_000
    assert not re.search(r"(src|href)=|@import|https?://", page)
    assert page.count("<circle data-name") == page.count('<tr id="p') == sum(p["optimal"] for p in found["points"])
    monkeypatch.chdir(files)
    for step in best["command"].split(" && "):
        assert main(shlex.split(step)[1:]) == 0
    made = bw.load_design(files / f"{best['network']}-{best['target']}")
    assert made.estimate.interval_cycles == best["interval_cycles"]
    assert made.network.digest == bw.load(folder / f"{best['network']}.bw").digest


def test_the_command_says_what_is_out_of_reach(files, capsys):
    assert main(arguments(files, "--max-loss", "10", "--fps", "1e12")) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("bitwright: error: fps=1e+12 is out of reach")


def test_a_folder_of_something_else_is_refused_before_any_work(files, capsys):
    (files / "mine").mkdir()
    (files / "mine" / "thesis.tex").write_text("")
    assert main(arguments(files, "-o", str(files / "mine"))) == 2
    assert "it holds thesis.tex" in capsys.readouterr().err
