"""Streaming statistics against exact ones."""

import numpy as np
import pytest

from bitwright.errors import DataError
from bitwright.quantization.ranges.histogram import Histogram


def seen(*batches):
    histogram = Histogram("v")
    for batch in batches:
        histogram.update(np.asarray(batch, np.float32))
    return histogram.distribution()


@pytest.mark.parametrize("seed", range(3))
def test_counts_extremes_and_edges_are_exact(seed):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(7, 500)) * 10.0 ** rng.integers(-3, 4, size=(7, 500))).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = 0
    d = seen(x[:3], x[3:])
    assert d.low == x.min()
    assert d.high == x.max()
    assert d.total == x.size
    assert np.all(np.diff(d.center) > 0)
    for left, right, count in zip(d.left, d.right, d.count, strict=True):
        inside = ((x >= left) & (x < right)) if right > 0 else ((x > left) & (x <= right))
        if left < 0 < right or left == 0 or right == 0:
            inside |= x == 0
        assert inside.sum() == count


def test_bins_are_fine():
    x = np.random.default_rng(0).uniform(1, 2, size=(1, 200_000))
    d = seen(x)
    assert len(d.center) >= 1000
    assert np.max((d.right - d.left) / d.center) < 1 / 1000


def test_batching_does_not_matter():
    x = np.random.default_rng(1).normal(size=(20, 30))
    a, b = seen(x), seen(*np.split(x, 10))
    for name in ("count", "center", "average_low", "average_high"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_quantiles():
    x = np.random.default_rng(2).normal(size=(4, 50_000)).astype(np.float32)
    d = seen(x)
    for fraction in (0.01, 0.5, 0.99, 0.9999):
        assert d.quantile(fraction) == pytest.approx(np.quantile(x, fraction), abs=0.02)
        assert d.magnitude_quantile(fraction) == pytest.approx(np.quantile(np.abs(x), fraction), abs=0.02)


def test_moving_average_of_few_samples_is_their_mean():
    x = np.random.default_rng(3).normal(size=(5, 100)).astype(np.float32)
    d = seen(x)
    assert d.average_high == pytest.approx(x.max(1).mean(), rel=1e-6)
    assert d.average_low == pytest.approx(x.min(1).mean(), rel=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_refused(bad):
    x = np.zeros((2, 10))
    x[1, 3] = bad
    with pytest.raises(DataError, match="'v' becomes NaN or infinite"):
        seen(x)


def test_nothing_seen_is_refused():
    with pytest.raises(DataError, match="at least one sample"):
        Histogram("v").distribution()
