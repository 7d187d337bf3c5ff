"""window_reader against its definition, over many geometries, with and without stalls."""

import numpy as np
import pytest
from rtl_bank import HEAVY, LIGHT, STARVED, Case

from bitwright.hardware.modules.window import Window
from bitwright.hardware.text import Sized

FRAMES = 4
EXTRA = (("m_first_o", 1), ("m_last_o", 1))


def definition(w: Window, frames: np.ndarray, pad: int) -> list[int]:
    """Output words {last, first, data} of frames [n, H, W, chunks]."""
    (kh, kw), (sh, sw), (dh, dw) = w.kernel, w.stride, w.dilation
    oh, ow = w.output
    words = []
    part = w.chunks // w.groups
    for frame in frames:
        for oy in range(oh):
            for ox in range(ow):
                for g in range(w.groups):
                    taps = []
                    for ky in range(kh):
                        for kx in range(kw):
                            y, x = oy * sh - w.pads[0] + ky * dh, ox * sw - w.pads[1] + kx * dw
                            inside = 0 <= y < w.height and 0 <= x < w.image_width
                            taps += frame[y, x, g * part : (g + 1) * part].tolist() if inside else [pad] * part
                    for _ in range(w.repeats):
                        last = len(taps) - 1
                        words += [t | (i == 0) << w.width | (i == last) << (w.width + 1) for i, t in enumerate(taps)]
    return words


def case(w: Window, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 1 << min(w.width, 40), (FRAMES, w.height, w.image_width, w.chunks)).astype(object)
    frames = frames << max(0, w.width - 40) | frames  # fills words of up to 80 bits
    pad = int(rng.integers(0, 1 << min(w.width, 40)))
    parameters = w.parameters | {"PadWord": Sized(pad, w.width)}
    outputs = {"m": definition(w, frames, pad)}
    return Case(
        "window_reader", parameters, {"s": frames.ravel().tolist()}, outputs, {"s": w.width, "m": w.width}, EXTRA
    )


NAMED = [
    Window(8, 5, 5, 1, (3, 3), pads=(1, 1, 1, 1)),
    Window(8, 6, 7, 2, (3, 3)),
    Window(8, 7, 6, 3, (3, 3), (2, 2), (1, 1, 1, 1)),
    Window(8, 8, 8, 2, (2, 2), (2, 2), groups=2),
    Window(8, 7, 7, 1, (7, 7)),
    Window(8, 6, 5, 2, (1, 1)),
    Window(8, 6, 5, 4, (1, 1), groups=2),
    Window(8, 6, 5, 2, (1, 1), repeats=3),
    Window(8, 6, 5, 2, (1, 1), (2, 2)),
    Window(8, 7, 7, 2, (1, 1), (3, 2), repeats=4),
    Window(12, 1, 1, 13, (1, 1), repeats=5),
    Window(12, 1, 1, 1, (1, 1), repeats=2),
    Window(8, 1, 1, 6, (1, 1), groups=3, repeats=2),
    Window(8, 4, 4, 1, (2, 2), (3, 3)),
    Window(8, 3, 4, 2, (3, 2), (1, 2), (4, 3, 5, 6)),
    Window(8, 2, 2, 1, (2, 2), (1, 1), (5, 5, 5, 5)),
    Window(8, 9, 8, 1, (3, 3), (1, 1), (2, 2, 2, 2), (2, 2)),
    Window(8, 9, 8, 2, (2, 3), (2, 1), (0, 3, 0, 0), (3, 2)),
    Window(8, 1, 12, 1, (1, 5), (1, 1), (0, 2, 0, 2)),
    Window(8, 12, 1, 1, (5, 1), (1, 1), (2, 0, 2, 0)),
    Window(8, 10, 10, 4, (5, 5), groups=4),
    Window(40, 16, 16, 8, (3, 3), pads=(1, 1, 1, 1)),
    Window(70, 12, 12, 2, (3, 3), (2, 2), (0, 0, 1, 1), repeats=2),
    Window(8, 5, 5, 1, (1, 1), (1, 1), (1, 1, 1, 1)),
    Window(8, 4, 4, 1, (1, 1), (4, 4), (3, 3, 0, 0)),
]


def random_window(seed: int) -> Window:
    rng = np.random.default_rng(seed)
    while True:
        pick = lambda low, high, n: tuple(int(v) for v in rng.integers(low, high, n))  # noqa: E731
        groups = int(rng.integers(1, 4))
        w = Window(
            int(rng.integers(1, 33)),
            *pick(1, 10, 2),
            groups * int(rng.integers(1, 5)),
            pick(1, 5, 2),
            pick(1, 4, 2),
            pick(0, 4, 4),
            pick(1, 3, 2),
            groups,
            int(rng.integers(1, 4)),
        )
        if min(w.output) >= 1 and w.out_words <= 6000:
            return w


def too_slow(run, windows: list[Window]) -> str:
    """Windows that take more cycles a frame, once the first is through, than promised."""
    lines = []
    for i, w in enumerate(windows):
        ends = run.produced[f"c{i}_m"][w.out_words - 1 :: w.out_words]
        measured = (ends[-1] - ends[0]) / (FRAMES - 1)
        balanced = 0.5 < w.in_words / w.out_words < 2
        if measured > w.interval_cycles * (1.1 if balanced else 1):
            lines.append(f"{w}: {measured} cycles a frame, promised {w.interval_cycles}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def named(build_bank):
    return build_bank([case(w, i) for i, w in enumerate(NAMED)])


@pytest.mark.parametrize("stalls", [HEAVY, LIGHT, STARVED])
def test_geometries_under_stalls(named, stalls):
    named.run(stalls)


def test_interval_and_latency(named):
    run = named.run()
    assert not too_slow(run, NAMED)
    for i, w in enumerate(NAMED):
        if not any(w.pads):
            latency = run.produced[f"c{i}_m"][0] - run.accepted[f"c{i}_s"][0]
            assert latency == w.latency, w


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 6))])
def test_random_geometries(build_bank, seed):
    windows = [random_window(100 * seed + i) for i in range(30)]
    bank = build_bank([case(w, i) for i, w in enumerate(windows)])
    run = bank.run()
    for stalls in (HEAVY, LIGHT, STARVED):
        bank.run(stalls)
    assert not too_slow(run, windows)
