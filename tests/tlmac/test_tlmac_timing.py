"""The event graph on small circuits whose cycles are known, and the FIFOs that keep a goal."""

from dataclasses import replace

import numpy as np
import pytest

from bitwright.hardware import event_run, events
from bitwright.hardware.events import NEEDS, TAKES, YIELDS, Process
from bitwright.hardware.modules.window import Window
from bitwright.network import InputSpec, IntType, Network, Node, TensorType
from bitwright.network.ops import MaxPool, SumPool
from bitwright.simulation import simulate
from bitwright.targets import get
from bitwright.targets.contract import make_options
from bitwright.targets.tlmac.circuit.stages import readers
from bitwright.targets.tlmac.model import timing
from bitwright.targets.tlmac.model.estimate import estimate as tlmac_estimate
from bitwright.targets.tlmac.search.waiting import needed

TLMAC = get("tlmac")
WORD = NEEDS | TAKES | YIELDS


def frames(*between, words, out_words=None, count=6):
    """Cycles between frames in the end, and of the first frame; `between` are the processes inside."""
    last = max(c for p in between for c in p.outputs)
    processes = [Process(events.SOURCE, (), (0,)), *between, Process(events.SINK, (last,), ())]
    ends, start = event_run.Run(processes, words, out_words or words).ends(count)
    return ends[-1] - ends[-2], ends[0] - start


def moves(flags, *inputs, output, latency=1):
    return Process(events.MOVES, inputs, (output,), latency=latency, table=np.array(flags))


def test_a_pipeline_takes_a_word_a_cycle():
    assert frames(Process(events.PIPE, (0,), (1,), size=7), words=10) == (10, 16)


def test_parts_of_a_word_leave_one_by_one():
    narrow = moves([NEEDS | YIELDS, NEEDS | YIELDS, WORD], 0, output=1)
    assert frames(narrow, words=4, out_words=12)[0] == 12


@pytest.mark.parametrize(("depth", "cycles"), [(32, 60), (5, 140)])
def test_a_fork_waits_for_its_slower_branch(depth, cycles):
    """A branch of 14 stages and a FIFO meet in an adder; depth + 1 words fit the FIFO and its output."""
    fork = Process(events.FORK, (0,), (1, 2))
    slow, fifo = Process(events.PIPE, (1,), (3,), size=14), Process(events.FIFO, (2,), (4,), size=depth, latency=2)
    add = moves([WORD], 3, 4, output=5)
    assert frames(fork, slow, fifo, add, words=60)[0] == pytest.approx(cycles, abs=6)


def test_more_frames_go_on_from_the_first_ones():
    """Of a fork whose branches wait for each other, behind parts that are gathered again."""
    fork, fifo = Process(events.FORK, (2,), (3, 4)), Process(events.FIFO, (4,), (6,), size=5, latency=2)
    inner = (moves([NEEDS | YIELDS, WORD], 0, output=1), moves([NEEDS | TAKES, WORD, WORD], 1, output=2))
    slow, add = Process(events.PIPE, (3,), (5,), size=14), moves([WORD], 5, 6, output=7)
    graph = [Process(events.SOURCE, (), (0,)), *inner, fork, slow, fifo, add, Process(events.SINK, (7,), ())]
    at_once, in_steps = (event_run.Run(graph, 60, 80) for _ in range(2))
    for count in (1, 2, 5):
        ends, start = in_steps.ends(count)
        assert len(ends) == count
    whole, first = at_once.ends(5)
    assert (ends.tolist(), start) == (whole.tolist(), first)


def test_a_circuit_that_stands_still_is_noticed():
    fork, concat = Process(events.FORK, (0,), (1, 2)), Process(events.CONCAT, (1, 2), (3,), size=2, second=2)
    with pytest.raises(AssertionError, match="stands still"):
        frames(fork, concat, words=4, out_words=8)


def test_a_window_takes_its_own_cycles_and_waits_for_its_last_word():
    window = Window(8, 6, 5, 1, kernel=(3, 3), pads=(1, 1, 1, 1))
    waits, sizes = window.waits(9), (window.depth, window.in_words)
    reader = Process(events.WINDOW, (0,), (1,), 9, window.arrival, 5, *sizes, window.oldest, *waits)
    interval, latency = frames(reader, words=30)
    assert interval == window.interval_cycles == 270
    # The first tap, padding, waits three cycles for the frame's first word; all windows follow, and the way out.
    assert latency == 3 + (30 * 9 - 1) + 4


def test_a_pool_whose_buffer_fills_slowly_waits_for_its_words():
    """One channel a word enters, two are pooled: neither its 512 input words nor the pool's own cycles bind alone."""
    pool = Node("pool", SumPool((8, 8)), ("input",))
    network = Network(InputSpec(TensorType((8, 8, 8), IntType(3))), (pool,), name="pool")
    plan = TLMAC.plan(network, make_options(TLMAC, {}))
    unit = replace(plan.units[0], in_lanes=(1,), lanes=2, out_lanes=2)
    estimate = tlmac_estimate(plan.circuit, (unit,))
    design = TLMAC.emit(replace(plan, units=(unit,), estimate=estimate))
    x = np.random.default_rng(0).integers(0, 8, (4, 8, 8, 8))
    found = simulate(design, x)
    assert found.mismatches == 0
    assert found.interval_cycles == timing.unit_cycles(unit) > max(512, readers(unit)[0].interval_cycles)


def test_fifos_are_added_only_where_the_goal_needs_them(random_network):
    network = random_network(132, kernel=(1, 5), weight_bits=(1, 4))
    plain = TLMAC.plan(network, make_options(TLMAC, {}))
    kept = TLMAC.plan(network, make_options(TLMAC, {"interval": 160}))
    assert (plain.estimate.interval_cycles, kept.estimate.interval_cycles) == (176, 160)
    assert kept.units[1].behind_words == (32, 0)
    assert [unit.fifo_words for unit in kept.units] == [unit.fifo_words for unit in plain.units]
    assert 0 < kept.estimate.total.lut - plain.estimate.total.lut < 50


@pytest.mark.parametrize("wanted", [set(), {0}, {9}, {2, 3, 7}, set(range(10))])
def test_the_fifos_that_are_needed_are_found_by_bisection(wanted):
    asked = []

    def reaches(chosen):
        asked.append(chosen)
        return wanted <= set(chosen)

    assert needed(range(10), reaches) == sorted(wanted)
    assert len(asked) <= 1 + 5 * len(wanted)


def test_the_last_of_fifos_that_can_replace_each_other_are_dropped():
    assert needed(range(8), lambda chosen: len(chosen) >= 3) == [0, 1, 2]


def test_a_goal_that_no_circuit_reaches_is_refused():
    pool = Node("pool", MaxPool((2, 2), (2, 2)), ("input",))
    network = Network(InputSpec(TensorType((4, 4, 1), IntType(2))), (pool,), name="pool")
    assert str(TLMAC.plan(network, make_options(TLMAC, {"interval": 15}))) == (
        "interval=15 is out of reach: the fastest circuit found takes 16 cycles a frame; legal: interval of at least 16"
    )
    assert TLMAC.plan(network, make_options(TLMAC, {"interval": 16})).estimate.interval_cycles == 16


class Ending:
    """A graph whose frames end so far apart, again and again."""

    in_words = 1

    def __init__(self, first, gaps):
        self.first, self.gaps, self.asked = first, gaps, []

    def run(self):
        return self

    def ends(self, frames):
        self.asked.append(frames)
        times = [*self.first, *self.gaps * frames][: frames - 1]
        return np.cumsum([7, *times]), 3


@pytest.mark.parametrize(
    ("first", "gaps", "interval", "frames"),
    [
        ([], [50], 50, 6),
        ([90], [50], 50, 6),
        ([], [30, 71], 51, 6),  # two frames take turns: no more of them are needed
        ([95], [30, 71], 51, 6),
        ([], [20, 30, 40], 30, 12),
        ([1, 2, 3, 4, 5], [30, 70], 50, 48),  # a long start: the later half of many frames
    ],
)
def test_frames_that_take_turns(first, gaps, interval, frames):
    graph = Ending(first, gaps)
    found, latency = timing._steady(graph)
    assert abs(found - interval) <= (frames == timing.MOST)
    assert latency == 4
    assert graph.asked[-1] == frames
