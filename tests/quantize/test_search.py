"""The mixed precision search: the integer program, the cache, the front, local processes and a Dask cluster."""

import itertools
import json

import numpy as np
import pytest

from bitwright.errors import DataError, OptionError, ToolError
from bitwright.explore.cache import ResultCache
from bitwright.explore.front import Point, mark_front
from bitwright.explore.program import choose
from bitwright.explore.search import network_of, search
from bitwright.explore.study import close_in
from bitwright.explore.tasks import Pool, run_tasks
from bitwright.models.graph import FloatGraph, FloatNode, ops
from bitwright.quantization import measures
from bitwright.quantization.digests import digest
from bitwright.quantization.floatrun import FloatRunner
from bitwright.quantization.options import QuantizeOptions
from bitwright.quantization.ptq import quantize_model
from bitwright.quantization.size import weight_bits


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bottleneck", [False, True])
def test_the_program_finds_the_best_of_all_choices(seed, bottleneck):
    rng = np.random.default_rng(seed)
    losses = [np.sort(rng.random(3))[::-1] for _ in range(5)]
    costs = [np.sort(rng.integers(1, 50, 3)).astype(float) for _ in range(5)]
    total = max if bottleneck else sum
    every = list(itertools.product(range(3), repeat=5))
    price = {c: total(costs[i][o] for i, o in enumerate(c)) for c in every}
    budget = float(np.median(list(price.values())))
    best = min(sum(losses[i][o] for i, o in enumerate(c)) for c in every if price[c] <= budget)
    found = choose(losses, costs, budget, bottleneck=bottleneck)
    assert price[tuple(found)] <= budget
    assert sum(losses[i][o] for i, o in enumerate(found)) == pytest.approx(best, rel=1e-4)


def test_a_budget_too_small_is_told():
    with pytest.raises(OptionError, match="budget is 3; the least that these candidates can cost is 4"):
        choose([np.zeros(2)] * 2, [np.array([2.0, 5.0])] * 2, 3)


def test_digest_sees_contents_only():
    a = {"x": np.arange(4), "o": QuantizeOptions()}
    assert digest(a) == digest({"o": QuantizeOptions(), "x": np.arange(4)})
    assert digest(a) != digest({**a, "x": np.arange(4.0)})
    assert digest(a) != digest({**a, "o": QuantizeOptions(seed=2)})
    assert digest(["a", "b"]) != digest(["ab"])


def test_cache_survives_damage(tmp_path):
    cache = ResultCache(tmp_path)
    assert cache.get("ab") is None
    cache.put("ab", {"loss": 1.5})
    assert cache.get("ab") == {"loss": 1.5}
    next(tmp_path.rglob("ab.json")).write_text("{")
    assert cache.get("ab") is None


def double(offset, x):
    if x == 3:
        raise ValueError("three")
    return {"y": offset + 2 * x}


def test_tasks_resume_after_a_failure(tmp_path):
    cache, keys = ResultCache(tmp_path), [f"k{i}" for i in range(6)]
    with pytest.raises(ValueError, match="three"):
        run_tasks(double, (1,), [(i,) for i in range(6)], keys, Pool(cache, 1))
    assert cache.get("k2") == {"y": 5}
    seen = []
    tasks = [(0,), (1,), (2,), (30,), (4,), (5,)]
    results = run_tasks(double, (1,), tasks, keys, Pool(cache, 1, progress=lambda *step: seen.append(step)))
    assert [r["y"] for r in results] == [1, 3, 5, 61, 9, 11]
    assert seen[0] == ("tasks", 3, 6)


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("somewhere", OptionError, "legal is the address of a Dask scheduler"),
        ("tcp://127.0.0.1:9", ToolError, "no Dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_a_bad_cluster_is_told(tmp_path, monkeypatch, address, error, message):
    monkeypatch.setattr("bitwright.explore.tasks.CONNECT_SECONDS", 1)
    with pytest.raises(error, match=message):
        run_tasks(double, (1,), [(1,)], ["k"], Pool(ResultCache(tmp_path), cluster=address))


def test_losses():
    a = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert measures.output_loss(a, a, "kl") == measures.output_loss(a, a, "error") == 0
    assert measures.output_loss(a, a + 5, "kl") == pytest.approx(0)
    assert measures.output_loss(a, 2 * a, "error") == pytest.approx(1)
    p = np.array([[0.5, 0.5]])
    q = np.array([[0.25, 0.75]])
    exact = 0.5 * np.log(2) + 0.5 * np.log(2 / 3)
    assert measures.output_loss(p, q, "kl", probabilities=True) == pytest.approx(exact)
    assert measures.accuracy(a, [0, 0]) == 0.5
    assert measures.agreement(a, -a) == 0


def point(cost, loss):
    return Point("p", {}, cost, loss, loss, 0, None, cost)


def test_front_holds_what_nothing_beats():
    points = mark_front([point(3, 1), point(1, 5), point(2, 5), point(2, 4), point(4, 1)])
    assert [(p.cost, p.loss) for p in points if p.optimal] == [(1, 5), (2, 4), (3, 1)]


SEARCH = {"metric": "error", "samples": 16, "points": 3, "weight_candidates": (2, 8)}


def test_search_keeps_the_budget_and_beats_uniform_widths(graph, data, tmp_path):
    quantize = QuantizeOptions(weight_rounding="second_order")
    result = search(graph, data, quantize=quantize, **SEARCH, budget=430, cache=str(tmp_path), jobs=1)
    assert result.chosen.cost <= 430
    uniform = {p.label: p for p in result.points}
    assert uniform["uniform W2A8"].cost == 214
    assert uniform["uniform W8A8"].cost == 856
    assert uniform["uniform W8A8"].loss < result.chosen.loss < uniform["uniform W2A8"].loss
    for p in result.points:
        assert p.cost == pytest.approx(p.predicted_cost)
    network = network_of(graph, data, result, quantize)
    assert weight_bits(network) / 8 == result.chosen.cost
    columns, rows = result.rows()
    assert len(rows) == len(result.points)
    assert all(len(row) == len(columns) for row in rows)
    lines = result.csv().splitlines()
    assert len(lines) == 1 + len(result.points)
    assert "stem=" in lines[1]
    page = result.html()
    assert page.count("<circle data-name") == len(result.points)
    assert page.count('class="mark"') == 1
    json.dumps(result.as_dict())
    # Everything is in the cache now.
    stages = []
    again = search(
        graph,
        data,
        quantize=quantize,
        **SEARCH,
        budget=430,
        cache=str(tmp_path),
        jobs=1,
        progress=lambda stage, done, total: stages.append((stage, done, total)),
    )
    assert again.points == result.points
    assert "sensitivities" not in [s for s, *_ in stages]
    assert [s for s in stages if s[0] == "networks"] == [("networks", len(again.points), len(again.points))]


def test_search_bounds_the_loss_of_accuracy(graph, data, tmp_path):
    labels = np.arange(len(data)) % 5
    result = search(graph, data, data, labels, **SEARCH, max_loss=100.0, uniform=False, cache=str(tmp_path), jobs=1)
    cheapest = min(result.points, key=lambda p: p.cost)
    assert result.chosen == cheapest
    assert result.float_accuracy is not None
    none = search(graph, data, data, labels, **SEARCH, max_loss=-101.0, uniform=False, cache=str(tmp_path), jobs=1)
    assert none.chosen is None
    with pytest.raises(OptionError, match="chose no network"):
        network_of(graph, data, none, QuantizeOptions())


def test_a_loss_at_the_bound_keeps_it():
    """Of 2,000 samples, whatever the last bits of a difference are."""
    for right in range(1500, 2000, 7):
        for lost in range(1, 60):
            found = measures.compared(right / 2000 - (right - lost) / 2000)
            assert found == measures.compared(lost / 20 / 100)


def test_the_bound_on_the_loss_is_closed_in_on():
    """Of networks that cost 0, 10 to 200 and lose (200 - cost) / 100 points, down to the cheapest within the bound."""
    measured = []

    def lost(p):
        return (200 - p.cost) / 100

    def find(budget, points):
        cost = 10 * int(budget // 10)
        known = next((p for p in points if p.cost == cost), None)
        measured.extend([] if known else [cost])
        return known or point(cost, 1.0), known is None

    points = close_in([point(0, 1.0), point(200, 1.0)], 0.72, lost, lambda p: p.predicted_cost, find)
    assert min(p.cost for p in points if lost(p) <= 0.72) == 130
    assert len(measured) == len(set(measured)) <= 7


def test_search_over_activations_leaves_set_layers_alone(graph, data, tmp_path):
    result = search(
        graph,
        data,
        quantize=QuantizeOptions(last_bits=(5, 7), layer_bits={"expand": (3, 8)}),
        **SEARCH,
        activation_candidates=(4, 8),
        cache=str(tmp_path),
        jobs=1,
    )
    for p in result.points:
        assert p.widths["head"] == (5, 7)
        assert p.widths["expand"] == (3, 8)
        assert p.widths["stem"][1] == 8
    assert result.sensitivities.activations["project"][4] > 0
    assert set(result.sensitivities.weights["stem"]) == {2, 8}


def test_sensitivities_are_measured_on_samples_that_rounding_has_not_seen(tmp_path):
    """Second-order rounding of a layer with more inputs than samples fits those at any width."""
    rng = np.random.default_rng(0)
    dense = FloatNode("head", ops.Dense(weight=rng.normal(size=(8, 256)), bias=None), ("input",))
    graph = FloatGraph.build([dense], input_shape=(256,), input_layout="C")
    x = rng.normal(size=(64, 256)).astype(np.float32)
    quantize = QuantizeOptions(weight_rounding="second_order")
    result = search(graph, x, **SEARCH, quantize=quantize, cache=str(tmp_path), jobs=1)
    narrow = quantize_model(graph, x, QuantizeOptions(weight_bits=2, weight_rounding="second_order")).network
    fresh = rng.normal(size=(64, 256)).astype(np.float32)
    lost = measures.output_loss(FloatRunner(graph).outputs(fresh), narrow.predict(fresh), "error")
    seen = measures.output_loss(FloatRunner(graph).outputs(x), narrow.predict(x), "error")
    assert seen < lost / 4
    assert result.sensitivities.weights["head"][2] > lost / 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"budget": 10}, OptionError, "budget is 10; the least that these candidates can cost is 214"),
        ({"cost": "lut"}, OptionError, "cost without a target is 'lut'; legal are bytes"),
        ({"cost": "watts", "target": "tlmac"}, OptionError, "legal are lut, ff"),
        ({"target": "asic", "cost": "lut"}, OptionError, "unknown target 'asic'"),
        ({"budget": 500, "max_loss": 1}, OptionError, "exclude each other"),
        ({"weight_candidates": (0, 8)}, OptionError, "legal are widths of 1 to 16"),
        ({"metric": "mae"}, OptionError, "legal are kl, error"),
        ({"depth": 3}, OptionError, "no option 'depth'"),
        ({"budget": float("nan")}, OptionError, "option budget is nan; legal is a number or none"),
        ({"points": 1.5}, OptionError, "option points is 1.5; legal is a whole number"),
        ({"weight_candidates": 4}, OptionError, "legal is a list separated by commas"),
    ],
)
def test_illegal_searches_are_told(graph, data, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        search(graph, data, **{**SEARCH, "cache": str(tmp_path), "jobs": 1, **options})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3, int), r"labels of shape \(3,\) for 32 samples; legal is \(32,\)"),
        (np.zeros((32, 2), int), r"labels of shape \(32, 2\)"),
        (np.full(32, np.nan), "labels have type float64; legal are integers"),
    ],
)
def test_labels_must_fit(graph, data, tmp_path, labels, message):
    with pytest.raises(DataError, match=message):
        search(graph, data, data, labels, **SEARCH, cache=str(tmp_path))


@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_gives_the_same_front(graph, data, tmp_path):
    """A real scheduler and two workers on this machine."""
    distributed = pytest.importorskip("distributed")
    local = search(graph, data, **SEARCH, cache=str(tmp_path / "a"), jobs=1)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        remote = search(graph, data, **SEARCH, cache=str(tmp_path / "b"), cluster=cluster.scheduler_address)
    assert remote.points == local.points
    assert remote.sensitivities == local.sensitivities


@pytest.mark.parametrize(
    ("target", "quantity", "target_options"),
    [
        ("tlmac", "lut", {}),
        ("tlmac", "cycles", {"interval": 1000}),
        ("rap", "cycles", {}),
        ("bitsys", "cycles", {}),
    ],
)
def test_a_target_prices_the_search(small_graph, data, tmp_path, target, quantity, target_options):
    """The prediction repeats the target's own figures where all layers are alike, and is near them elsewhere."""
    result = search(
        small_graph,
        data,
        **{**SEARCH, "weight_candidates": (2, 4)},
        activation_candidates=(2, 8),
        target=target,
        target_options=target_options,
        cost=quantity,
        cache=str(tmp_path),
        jobs=1,
    )
    assert len(result.points) >= 4
    for p in result.points:
        assert p.predicted_cost == pytest.approx(p.cost, rel=0.1 if p.label.startswith("uniform") else 0.4)
    assert len({p.cost for p in result.points}) >= 2
    assert len({p.predicted_cost for p in result.points}) >= 2
