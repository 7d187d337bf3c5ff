"""Calibration methods: each optimum against brute force, and sane results for unusual tensors."""

import itertools

import numpy as np
import pytest

from bitwright.models.graph import Quantizer
from bitwright.network.types import BIPOLAR, IntType
from bitwright.quantization.ranges.criteria import kl_divergence, reference, squared_error
from bitwright.quantization.ranges.histogram import Histogram
from bitwright.quantization.ranges.thresholds import METHODS, SCALES, RangeRule, choose_quantizer


def distribution(x):
    histogram = Histogram("v")
    histogram.update(np.atleast_2d(np.asarray(x, np.float32)))
    return histogram.distribution()


def apply(q, x):
    if q.dtype.bipolar:
        return np.where(x >= 0, q.scale, -q.scale)
    return (np.clip(np.rint(x / q.scale + q.zero_point), q.low, q.high) - q.zero_point) * q.scale


def sample(kind, seed=0, size=20_000):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=size) if kind != "laplace" else rng.laplace(size=size)
    return np.maximum(x, 0) if kind == "relu" else x


@pytest.mark.parametrize("kind", ["normal", "relu", "laplace"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_mse_is_the_least_squared_error(kind, bits):
    x = sample(kind)
    q = choose_quantizer(distribution(x), bits, RangeRule("mse"))
    error = np.mean((apply(q, x) - x) ** 2)
    for factor in np.linspace(0.5, 2, 61):
        other = np.mean((np.clip(np.rint(x / (q.scale * factor)), q.low, q.high) * q.scale * factor - x) ** 2)
        assert error <= other * 1.02


@pytest.mark.parametrize("kind", ["normal", "relu", "laplace"])
@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("method", ["mse", "kl"])
def test_radix_point_is_the_best_power_of_two(kind, bits, method):
    d = distribution(sample(kind) * 0.37)
    q = choose_quantizer(d, bits, RangeRule(method, "power_of_two"))
    exponent = np.log2(q.scale[0])
    assert exponent == round(exponent)
    target = reference(d)

    def error(scale):
        if method == "kl":
            return kl_divergence(target, scale, 0, q.low, q.high)
        return squared_error(d, scale, 0, q.low, q.high)

    covering = np.ceil(np.log2(max(d.high / q.high, -d.low / max(1, -q.low))))
    others = [2.0**e for e in range(int(covering) - 6, int(covering) + 1)]
    assert error(q.scale[0]) == min(map(error, others))


def test_squared_error_of_the_histogram_is_that_of_the_data():
    x = sample("laplace").astype(np.float32)
    d = distribution(x)
    for scale, zero in itertools.product((0.01, 0.1, 0.7), (0, 3)):
        exact = np.mean((apply(Quantizer(IntType(4), scale, zero), x) - x) ** 2)
        assert squared_error(d, scale, zero, 0, 15) == pytest.approx(exact, rel=0.01)


def test_kl_is_zero_where_every_bin_has_its_code_and_grows_with_clipping():
    x = np.repeat(np.arange(1, 5, dtype=np.float32), [10, 20, 30, 40])
    target = reference(distribution(x), bins=2048)
    exact = kl_divergence(target, 1.0, 0, 0, 7)
    clipped = kl_divergence(target, 1.0, 0, 0, 2)
    assert exact < 1e-2
    assert clipped > exact + 0.1


def test_kl_reference_keeps_all_mass_and_has_2048_bins():
    d = distribution(np.concatenate([sample("normal"), np.zeros(5000), [1e6]]))
    target = reference(d)
    assert len(target.count) >= 2 * 2048
    assert target.count.sum() == pytest.approx(d.total - 5000)


@pytest.mark.parametrize(("method", "scales"), list(itertools.product(METHODS, SCALES)))
@pytest.mark.parametrize("bits", [1, 2, 5, 8, 16])
@pytest.mark.parametrize("zero_point", [False, True])
@pytest.mark.parametrize(
    "x",
    [
        pytest.param(np.zeros(100), id="dead"),
        pytest.param(np.full(100, 3.7), id="constant"),
        pytest.param(np.full(100, -3.7), id="negative"),
        pytest.param([0.25], id="one value"),
        pytest.param(np.append(np.linspace(-1, 1, 999), 1e30), id="outlier"),
        pytest.param(np.append(np.zeros(99_999), 1.0), id="sparse"),
        pytest.param(np.linspace(-1, 1, 50) * 1e-30, id="tiny"),
    ],
)
def test_unusual_tensors_give_usable_quantizers(x, method, scales, bits, zero_point):
    q = choose_quantizer(distribution(x), bits, RangeRule(method, scales, zero_point))
    assert np.all(np.isfinite(q.scale) & (q.scale > 0))
    assert q.low <= q.zero_point[0] <= q.high
    assert q.dtype.bits == bits
    if scales == "power_of_two":
        assert np.log2(q.scale[0]) % 1 == 0


@pytest.mark.parametrize("method", ["percentile", "mse", "kl"])
def test_one_huge_outlier_among_many_is_cut_by_the_percentile_only(method):
    x = np.append(np.random.default_rng(0).normal(size=100_000), 1e30)
    q = choose_quantizer(distribution(x), 8, RangeRule(method))
    reach = q.scale[0] * q.high
    assert (reach > 1e29) == (method == "mse")


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("method", METHODS)
def test_zero_points_help_lopsided_tensors_and_keep_zero_exact(method, scales):
    x = sample("normal") + 1.5
    d = distribution(x)
    plain = choose_quantizer(d, 6, RangeRule(method, scales))
    shifted = choose_quantizer(d, 6, RangeRule(method, scales, zero_point=True))
    assert not shifted.dtype.signed
    assert apply(shifted, np.zeros(1))[0] == 0
    if scales == "free":
        assert np.mean((apply(shifted, x) - x) ** 2) < np.mean((apply(plain, x) - x) ** 2)


def test_minmax_clips_nothing():
    x = sample("laplace")
    for scales, zero in itertools.product(SCALES, (False, True)):
        q = choose_quantizer(distribution(x), 6, RangeRule("minmax", scales, zero))
        assert np.abs(apply(q, x) - x).max() <= q.scale[0] * 1.001 * (1 if zero else 0.5)


def test_signed_one_bit_is_bipolar_with_the_mean_magnitude():
    x = sample("normal")
    q = choose_quantizer(distribution(x), 1, RangeRule())
    assert q.dtype == BIPOLAR
    assert q.scale[0] == pytest.approx(np.abs(x).mean(), rel=1e-3)
