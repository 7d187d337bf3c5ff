"""Fake quantizers: the compiled passes equal the definition in torch's operations."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from bitwright.training import fake  # noqa: E402
from bitwright.training.fake import Grid, fake_quantize, fake_quantize_rows  # noqa: E402

GRIDS = [Grid(0, 7), Grid(-4, 3), Grid(-3, 3), Grid(0, 255, (128.0,)), Grid(0, 15, (3.0,)), Grid(-1, 1, bipolar=True)]


def by_chain(x, scale, grid):
    """Value and gradients by torch's operations."""
    x, scale = (t.detach().float().clone().requires_grad_() for t in (x, scale))
    shape = (-1, *[1] * (x.ndim - 1))
    y = fake._chain(x, scale.view(shape) if scale.numel() > 1 else scale, torch.tensor(grid.zero[0]), grid)
    upper = torch.linspace(-1, 2, x.numel()).reshape(x.shape)
    (y * upper).sum().backward()
    return y.detach(), x.grad, scale.grad, upper


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_one_scale(grid):
    x = torch.randn(3, 4, 50, 50, generator=torch.Generator().manual_seed(0)).requires_grad_()
    scale = torch.tensor(0.3, requires_grad=True)
    y, gx, gs, upper = by_chain(x, scale, grid)
    z = fake_quantize(x, scale, grid)
    (z * upper).sum().backward()
    assert torch.allclose(z, y, atol=1e-5)
    assert torch.allclose(x.grad, gx)
    assert torch.allclose(scale.grad, gs, rtol=1e-3)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_half_precision_rounds_once(grid):
    x = torch.randn(2, 5, 40, 40, generator=torch.Generator().manual_seed(1)).bfloat16().requires_grad_()
    x_last = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    scale = torch.tensor(0.25, requires_grad=True)  # codes times it are exact
    y, gx, gs, upper = by_chain(x, scale, grid)
    for given in (x, x_last):
        scale.grad = None
        z = fake_quantize(given, scale, grid)
        (z.float() * upper).sum().backward()
        assert torch.equal(z.float(), y)
        assert torch.allclose(given.grad.float(), gx, rtol=1e-2, atol=1e-3)
        assert torch.allclose(scale.grad, gs, rtol=2e-2, atol=1.0)


@pytest.mark.parametrize("grid", [g for g in GRIDS if g.zero == (0.0,)], ids=str)
def test_a_scale_for_each_row(grid):
    w = torch.randn(6, 45, generator=torch.Generator().manual_seed(2)).requires_grad_()
    scale = torch.linspace(0.1, 0.6, 6).requires_grad_()
    y, gw, gs, upper = by_chain(w, scale, grid)
    z = fake_quantize_rows(w, scale, grid)
    (z * upper).sum().backward()
    assert torch.allclose(z, y, atol=1e-5)
    assert torch.allclose(w.grad, gw)
    assert torch.allclose(scale.grad, gs, rtol=1e-3, atol=1e-4)


def test_the_gradient_of_the_scale_is_that_of_the_formula():
    """dy/ds = code - v inside the grid, its end outside: two values by hand."""
    x = torch.tensor([[0.7, 9.0]], requires_grad=True)
    scale = torch.tensor(0.5, requires_grad=True)
    fake_quantize(x, scale, Grid(0, 3)).sum().backward()
    assert float(scale.grad) == pytest.approx((1 - 1.4) + 3)
    assert x.grad.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(("rounding", "code"), [("floor", 1), ("ceil", 2), ("zero", 1), ("away", 2), ("half_even", 2)])
def test_roundings(rounding, code):
    y = fake_quantize(torch.tensor([[1.6]]), torch.tensor(1.0), Grid(-8, 7, rounding=rounding))
    assert y.item() == code


def test_a_scale_for_each_channel():
    x = torch.full((1, 2, 1, 1), 1.3)
    y = fake_quantize(x, torch.tensor([0.5, 1.0]), Grid(-8, 7, (0.0, 1.0)))
    assert y.flatten().tolist() == [1.5, 1.0]


def test_threads_do_not_matter():
    x = torch.randn(4, 64, 64, 64, generator=torch.Generator().manual_seed(3))
    found = []
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        given, scale = x.clone().requires_grad_(), torch.tensor(0.2, requires_grad=True)
        y = fake_quantize(given, scale, Grid(0, 15))
        (y * y).sum().backward()
        found.append((y.detach(), given.grad, scale.grad))
    torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_nan_stays_visible_in_half_precision():
    x = torch.tensor([[float("inf"), float("-inf")]]).bfloat16()
    y = fake_quantize(x, torch.tensor(0.5), Grid(-2, 1))
    assert y.float().tolist() == [[0.5, -1.0]]
    assert np.isfinite(y.float().numpy()).all()
