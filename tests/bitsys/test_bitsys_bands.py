"""Stages that run together by bands: rows that are computed, that lie on chip and that are kept; places of all."""

import random
from itertools import pairwise

import numpy as np
import pytest

from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.network.stages import staged
from bitwright.targets.bitsys import planning
from bitwright.targets.bitsys.external import tiles
from bitwright.targets.bitsys.external.bands import Chain
from bitwright.targets.bitsys.external.space import Arrangement, Buffer

U8 = IntType(8)


def chain(rng):
    """Windows of any size and stride one behind the other, a shortcut, an enlargement, a join."""
    nodes, types = [], {"input": TensorType((int(rng.integers(20, 40)), 3, 8), U8)}

    def put(name, op, *inputs):
        types[name] = op.infer(*(types[n] for n in inputs))
        nodes.append(Node(name, op, inputs))
        return name

    def conv(name, source, kernel, stride, pad):
        weight = rng.integers(-128, 128, (8, kernel, 1, 8))
        put(f"{name}c", ops.Conv2d(weight, IntType(8, True), (stride, 1), (pad, 0, pad, 0)), source)
        return put(name, ops.Requantize(U8, 1, 12), f"{name}c")

    tip = "input"
    for k in range(4):
        kernel = int(rng.integers(1, 6))
        tip = conv(f"a{k}", tip, kernel, int(rng.integers(1, 3)), kernel // 2)
    entry = put("m", ops.MaxPool((3, 1), (1, 1), (1, 0, 1, 0)), tip)
    tip = put("s", ops.Requantize(U8, 1, 1), put("sum", ops.Add(), conv("b", entry, 3, 1, 1), entry))
    wide = put("up", ops.Resize((2, 1)), tip)
    tip = put("j", ops.Concat(), wide, put("low", ops.Resize((2, 1)), entry))
    weight = rng.integers(-128, 128, (8, 3, 1, 16))
    put("lastc", ops.Conv2d(weight, IntType(8, True), (1, 1), (1, 0, 1, 0)), tip)
    put("last", ops.Requantize(U8, 1, 12), "lastc")
    return staged(Network(InputSpec(types["input"]), tuple(nodes), name="chain"), planning.RULES).stages


@pytest.mark.parametrize("seed", range(20))
def test_every_row_once_and_what_windows_read_is_there(seed):
    rng = np.random.default_rng(seed)
    stages = chain(rng)
    ends = sorted({*rng.integers(1, tiles.grid(stages[0])[0], 6).tolist(), tiles.grid(stages[0])[0]})
    for allowed in ((), tuple(ends)):
        run = Chain(stages, allowed, tiles.rows)
        for count in run.counts(1):
            bands = run.bands(count)
            for i, stage in enumerate(stages):
                computed = [band.computed[i] for band in bands]
                assert computed[0][0] == 0
                assert computed[-1][1] == tiles.grid(stage)[0]
                assert all(before[1] == after[0] for before, after in pairwise(computed))
                assert not allowed or i or all(end in ends for _, end in computed)
                for band, rows in zip(bands, computed, strict=True):
                    for k, name in enumerate(stage.inputs):
                        low, high = tiles.rows(stage, k, *rows) if rows[0] < rows[1] else (0, 0)
                        assert low >= high or band.held[name][0] <= low <= high <= band.held[name][1]
            for value, k in run.made.items():
                scale = tiles.scale(stages[k])[0]
                kept = [(0, 0), *run.carried(value, bands)]
                for band, own in zip(bands, kept, strict=True):
                    held, made = band.held[value], [scale * row for row in band.computed[k]]
                    assert held == (own[0] if own[0] < own[1] else made[0], made[1])


def test_places_meet_only_at_other_times():
    """Buffers at either end of what is free; a first part that outlives the rest; no room for all at once."""
    whole = [[Buffer("a", 40, (0, 1), 40, (0, 1))], [Buffer("b", 30, (1, 2), 30, (1, 2))], []]
    own = Buffer("c", 60, (0, 0), 0, (0, 0))
    inner = [[own], [Buffer("d", 30, (1, 1), 10, (1, 1))], [Buffer("e", 70, (2, 2), 70, (2, 2))]]
    found = Arrangement(whole, inner, (0, 100))
    assert found.run()
    assert found.found[0] == ([0], [40])
    tight = Arrangement(whole, [[own, Buffer("f", 1, (0, 0), 1, (0, 0))], *inner[1:]], (0, 100))
    assert not tight.run()
    assert tight.far == 0


@pytest.mark.parametrize("seed", range(20))
def test_no_word_has_two_values_at_a_time(seed):
    rng = random.Random(seed)
    segments, size = 8, 280
    whole, inner = [], []
    for k in range(segments):
        lives = [(4 * k, min(4 * (k + rng.randint(0, 2)) + 3, 4 * segments - 1)) for _ in range(rng.randint(0, 2))]
        whole.append([Buffer(f"w{k}", words := rng.randint(1, 40), life, words, life) for life in lives])
        uses = [(4 * k + i, 4 * k + i + 1) for i in range(3)]
        inner.append([Buffer(f"i{k}", rng.randint(10, 40), (4 * k, 4 * k + 3), rng.randint(0, 9), use) for use in uses])
    found = Arrangement(whole, inner, (5, size))
    assert found.run()
    blocks = []
    for places, values, own in zip(found.found, whole, inner, strict=True):
        for base, buffer in zip([*places[0], *places[1]], [*values, *own], strict=True):
            assert 5 <= base <= size - buffer.words
            blocks.append([(base + low, base + high, life) for low, high, life in buffer.blocks()])
    for i, mine in enumerate(blocks):
        for theirs in blocks[:i]:
            for a in mine:
                for b in theirs:
                    assert a[2][1] < b[2][0] or b[2][1] < a[2][0] or a[1] <= b[0] or b[1] <= a[0]
