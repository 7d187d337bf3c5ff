"""Weights to integers: scales, rounding, accumulator room, second-order rounding."""

from fractions import Fraction

import numpy as np
import pytest

from bitwright.errors import DataError
from bitwright.models.exact.rounding import ExtraRounding, round_array, round_exactly
from bitwright.network.ops import Rounding
from bitwright.network.types import BIPOLAR, IntType
from bitwright.quantization.sweep import products
from bitwright.quantization.weights.grids import WeightRule, fit_accumulator, quantize_weight, to_codes, weight_scales
from bitwright.quantization.weights.second_order import Form, Moments, damped, output_error, round_rows, second_order


def restored(q):
    return q.values * np.broadcast_to(q.scale, len(q.values)).reshape(-1, *[1] * (q.values.ndim - 1))


def test_rounding_of_ties():
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    expected = {
        Rounding.HALF_EVEN: [-2, -2, 0, 0, 2, 2],
        Rounding.HALF_AWAY: [-3, -2, -1, 1, 2, 3],
        Rounding.HALF_UP: [-2, -1, 0, 1, 2, 3],
        Rounding.FLOOR: [-3, -2, -1, 0, 1, 2],
    }
    for rounding, values in expected.items():
        np.testing.assert_array_equal(round_array(x, rounding), values)


@pytest.mark.parametrize("rounding", [r for r in (*Rounding, *ExtraRounding) if r is not Rounding.STOCHASTIC])
def test_arrays_are_rounded_as_rationals_are(rounding):
    x = np.concatenate(
        [np.arange(-8, 9) / 4, np.random.default_rng(0).normal(size=50), [0.5 - 2.0**-54, 0.5 + 2.0**-53]]
    )
    for values in (x, x.astype(np.float32)):
        found = round_array(values, rounding)
        assert found.dtype == values.dtype
        assert found.tolist() == [round_exactly(Fraction(float(v)), rounding) for v in values]


def test_stochastic_rounding_is_unbiased_and_seeded():
    x = np.full(40_000, 0.3)
    a, b, c = (round_array(x, Rounding.STOCHASTIC, seed) for seed in (1, 1, 2))
    assert set(np.unique(a)) == {0, 1}
    assert a.mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_array_equal(a, b)
    assert np.any(a != c)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("scales", ["free", "power_of_two"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_mse_scales_are_no_worse_than_minmax(bits, scales, per_channel):
    w = np.random.default_rng(0).laplace(size=(6, 3, 3, 4))
    errors = {}
    for method in ("mse", "minmax"):
        q = quantize_weight(w, bits, WeightRule(method, per_channel, scales))
        assert q.dtype == IntType(bits, True)
        assert q.scale.shape == ((6,) if per_channel else (1,))
        assert q.dtype.contains(q.values)
        assert scales == "free" or np.all(np.log2(q.scale) % 1 == 0)
        errors[method] = np.sum((restored(q) - w) ** 2)
    assert errors["mse"] <= errors["minmax"]


def test_minmax_weights_do_not_clip():
    w = np.random.default_rng(0).laplace(size=(6, 40))
    q = quantize_weight(w, 5, WeightRule("minmax"))
    assert np.all(np.abs(restored(q) - w) <= q.scale[:, None] / 2 + 1e-12)


@pytest.mark.parametrize("weight", [np.zeros((2, 3)), np.array([[0.7]]), np.array([[-0.7]])])
@pytest.mark.parametrize("bits", [1, 2, 8, 16])
def test_dead_and_single_weights(weight, bits):
    q = quantize_weight(weight, bits, WeightRule())
    assert np.all(np.isfinite(q.scale) & (q.scale > 0))
    if weight.any() or bits > 1:
        np.testing.assert_allclose(restored(q), weight, rtol=1e-12)


def test_one_bit_weights_are_bipolar():
    w = np.random.default_rng(0).normal(size=(4, 50))
    q = quantize_weight(w, 1, WeightRule())
    assert q.dtype == BIPOLAR
    np.testing.assert_array_equal(q.values, np.where(w >= 0, 1, -1))
    np.testing.assert_allclose(q.scale, np.abs(w).mean(1))


def test_non_finite_weights_are_refused():
    with pytest.raises(DataError, match="weights hold NaN"):
        quantize_weight(np.array([[1.0, np.nan]]), 8, WeightRule())


@pytest.mark.parametrize("input_bits", [8, 16])
def test_accumulators_fit_31_bits(input_bits):
    w = np.random.default_rng(0).normal(size=(8, 600))
    dtype = IntType(input_bits)
    q = quantize_weight(w, 16, WeightRule(), dtype)
    assert np.all(np.abs(q.values).sum(1) * dtype.max < 2**30)
    free = weight_scales(w, 16, WeightRule())
    ratio = np.log2(fit_accumulator(w, free, dtype) / free)
    assert np.all(ratio == np.rint(ratio))
    assert np.all(fit_accumulator(w[:, :2], weight_scales(w[:, :2], 8, WeightRule()), IntType(8)) > 0)
    np.testing.assert_array_equal(
        fit_accumulator(w, weight_scales(w, 4, WeightRule()), IntType(4)), weight_scales(w, 4, WeightRule())
    )


def moments(inputs, noise=0.0, seed=0):
    """Moments of correlated inputs; the quantized ones carry noise."""
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(size=(4000, inputs // 2)) @ rng.normal(size=(inputs // 2, inputs)), 0)
    xq = x + noise * rng.normal(size=x.shape)
    h, c = xq.T @ xq / len(x), x.T @ xq / len(x)
    return x, xq, Moments(h[None], c[None], xq.mean(0)[None], x.mean(0)[None])


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("scales", ["free", "power_of_two"])
def test_second_order_beats_nearest_on_the_output(bits, scales):
    rng = np.random.default_rng(1)
    w = rng.normal(size=(12, 40))
    x, _, m = moments(40)
    rule = WeightRule(scales=scales)
    codes, scale = second_order(w, bits, rule, m)
    plain = quantize_weight(w, bits, rule)
    error = np.mean((x @ (codes * scale[:, None] - w).T) ** 2)
    assert error < 0.6 * np.mean((x @ (restored(plain) - w).T) ** 2)
    assert IntType(bits, True).contains(codes)
    assert scales == "free" or np.all(np.log2(scale) % 1 == 0)


def test_codes_are_a_local_optimum():
    """No single code can change by one and lower the error."""
    w = np.random.default_rng(2).normal(size=(5, 20))
    _, _, m = moments(20)
    form, dtype = Form.of(m.hessian), IntType(3, True)
    scales = weight_scales(w, 3, WeightRule())
    codes = round_rows(w[None], scales[None], dtype, form)[0]
    best = output_error(w[None], codes[None], scales[None], form)[0]
    for k in range(20):
        for step in (-1, 1):
            other = codes.copy()
            other[:, k] += step
            legal = (other[:, k] >= dtype.min) & (other[:, k] <= dtype.max)
            error = output_error(w[None], other[None], scales[None], form)[0]
            assert np.all(error[legal] >= best[legal] - 1e-9)


def test_small_problem_is_close_to_the_best_of_all_codes():
    w = np.random.default_rng(3).normal(size=(10, 6))
    _, _, m = moments(6)
    form, dtype = Form.of(m.hessian), IntType(2, True)
    scales = weight_scales(w, 2, WeightRule())
    codes = round_rows(w[None], scales[None], dtype, form)[0]
    every = np.stack(np.meshgrid(*[dtype.values()] * 6), -1).reshape(-1, 6)
    best = 0.0
    for o in range(len(w)):
        rows, scale = np.repeat(w[None, o : o + 1], len(every), 1), np.full((1, len(every)), scales[o])
        best += output_error(rows, every[None], scale, form).min()
    assert output_error(w[None], codes[None], scales[None], form).sum() <= 1.3 * best


def test_second_order_compensates_the_error_of_earlier_layers():
    w = np.random.default_rng(4).normal(size=(12, 40))
    x, xq, m = moments(40, noise=1.0)
    blind = Moments(m.hessian, m.hessian, m.mean, m.mean)
    errors = []
    for known in (m, blind):
        codes, scale = second_order(w, 4, WeightRule(), known)
        errors.append(np.mean((xq @ (codes * scale[:, None]).T - x @ w.T) ** 2))
    assert errors[0] < 0.95 * errors[1]


def test_groups_use_their_own_blocks():
    rng = np.random.default_rng(5)
    w = rng.normal(size=(6, 9))
    parts = [moments(9, seed=s)[2] for s in range(3)]
    joined = Moments(
        *(np.concatenate([getattr(p, f) for p in parts]) for f in ("hessian", "cross", "mean", "mean_float"))
    )
    codes, scale = second_order(w, 3, WeightRule(), joined)
    for g, part in enumerate(parts):
        alone, own = second_order(w[2 * g : 2 * g + 2], 3, WeightRule(), part)
        np.testing.assert_array_equal(codes[2 * g : 2 * g + 2], alone)
        np.testing.assert_array_equal(scale[2 * g : 2 * g + 2], own)


@pytest.mark.parametrize("bits", [1, 2, 8, 16])
def test_dead_inputs_and_no_inputs_stay_solvable(bits):
    w = np.random.default_rng(6).normal(size=(3, 8))
    h = np.zeros((1, 8, 8))
    codes, scale = second_order(w, bits, WeightRule(), Moments(h, h, np.zeros((1, 8)), np.zeros((1, 8))))
    assert np.all(np.isfinite(scale))
    nearest = to_codes(w, scale, codes_type(bits), Rounding.HALF_EVEN)
    np.testing.assert_array_equal(codes, nearest)


def codes_type(bits):
    return BIPOLAR if bits == 1 else IntType(bits, True)


def test_damping_makes_any_hessian_positive_definite():
    np.linalg.cholesky(damped(np.stack([np.zeros((4, 4)), np.ones((4, 4))])))


@pytest.mark.parametrize("shape", [(1, 50, 6, 6), (7, 40, 9, 9), (5, 30, 1, 25), (2, 20, 80, 80)])
def test_products_of_groups(shape):
    groups, positions, rows, columns = shape
    rng = np.random.default_rng(0)
    a = rng.normal(size=(positions, groups, rows)).astype(np.float32).swapaxes(0, 1)
    b = rng.normal(size=(groups, positions, columns)).astype(np.float32)
    exact = np.einsum("gpi,gpj->gij", a.astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(products(a, b), exact, rtol=1e-4, atol=1e-4)
