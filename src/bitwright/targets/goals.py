# SPDX-License-Identifier: Apache-2.0
"""Goals in plain words: frames a second, microseconds, a part and how full it may get; the same for every target."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bitwright import targets
from bitwright.devices import Device, find_device
from bitwright.errors import ModelError, OptionError
from bitwright.hardware.clock import DEFAULT_MHZ, Clock
from bitwright.network import Network
from bitwright.network.passes import simplify
from bitwright.targets.contract import Plan, Refusal, Target, make_options, make_plan, try_plan
from bitwright.text import figure, percent

FASTEST, SMALLEST = "fastest", "smallest"
DEFAULT_FILL = 0.8
AMPLE = 1 << 40  # cycles a frame that ask for nothing
NEAR = 0.02  # intervals are searched to this part of themselves
Holds = Callable[[Plan], bool]


@dataclass(frozen=True)
class Goals:
    """What a design is for.

    fps: at least so many frames a second; latency_us: at most so many microseconds from the first word of a frame to
    its last result; both by `clock`. device: a part or board; the design takes at most the share `fill` of each of its
    resources, as far as the cost models count them. size: "fastest" for the most frames a second that this leaves,
    "smallest" for the least hardware, "" for the least that reaches fps and latency_us. Raises `OptionError`.
    """

    fps: float | None = None
    latency_us: float | None = None
    device: str | None = None
    fill: float = DEFAULT_FILL
    size: str = ""
    clock: Clock = field(default_factory=lambda: Clock(DEFAULT_MHZ))

    def __post_init__(self) -> None:
        for name in ("fps", "latency_us"):
            value = getattr(self, name)
            if value is not None and not (0 < value < math.inf):
                raise OptionError(f"{name} is {value:g}; legal are numbers above 0")
        if not 0 < self.fill <= 1:
            raise OptionError(f"fill is {self.fill:g}; legal are shares above 0 and up to 1")
        if self.size not in ("", FASTEST, SMALLEST):
            raise OptionError(f"size is {self.size!r}; legal are {FASTEST} and {SMALLEST}")
        if self.size == FASTEST and self.device is None:
            raise OptionError(f"the {FASTEST} design is the one that fills a part; device must name it")
        _ = self.part  # an unknown one ends here

    @property
    def part(self) -> Device | None:
        """The device."""
        return None if self.device is None else find_device(self.device)

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.fps or self.latency_us or self.device or self.size)

    @property
    def interval(self) -> int:
        """Cycles a frame that `fps` allows."""
        return AMPLE if self.fps is None else math.floor(1e6 * self.clock.mhz / self.fps)

    def fits(self, plan: Plan) -> bool:
        """Whether the part holds it."""
        return self.fullest(plan)[1] <= self.fill

    def fullest(self, plan: Plan) -> tuple[str, float]:
        """The resource of which the plan takes the largest share, and that share; 0 without a device."""
        shares = self.part.estimated_utilization(plan.estimate.total) if self.part else {}
        kind = max(shares, key=shares.__getitem__, default="")
        return kind, shares.get(kind, 0.0)

    def prompt(self, plan: Plan) -> bool:
        """Whether results come soon enough."""
        return self.latency_us is None or self.clock.microseconds(plan.estimate.latency_cycles) <= self.latency_us


def reach(network: Network, name: str, given: Mapping[str, object], goals: Goals) -> tuple[dict[str, object], Plan]:
    """The options with which target `name` reaches the goals with the least hardware, and its plan.

    given: options that the user chose; `OptionError` where they are goals of the target's own. Raises `ModelError`
    where the target refuses the network, and where the goals are out of reach; it says which is the nearest.
    """
    return _Search(targets.get(name), simplify(network), dict(given), goals).best()


def designs(
    network: Network,
    name: str,
    given: Mapping[str, object],
    goals: Goals,
    *,
    hint: int = 0,
    slower: int = 0,
    near: float = NEAR,
) -> list[tuple[dict[str, object], Plan]]:
    """Options and plans of target `name` that fit the part, the fastest first; where none fits, the smallest alone.

    hint: cycles a frame near which the fastest is looked for first, as another network's; 0 for none. near: it is
    found to this part of itself. slower: how many more are asked for, each for twice the cycles of the one before, as
    far as the goal of frames a second allows; with such a goal the last is the least hardware for it. Raises
    `ModelError` where the target refuses the network.
    """
    return _Search(targets.get(name), simplify(network), dict(given), goals).ladder(hint, slower, near)


@dataclass(eq=False)
class _Search:
    """Plans of one network by the cycles that a frame may take."""

    target: Target
    network: Network
    given: dict[str, object]
    goals: Goals
    known: dict[int, tuple[dict[str, object], Plan | None]] = field(default_factory=dict)

    def best(self) -> tuple[dict[str, object], Plan]:
        goals = self.goals
        ample = self.plan(AMPLE)
        if ample is None:
            ample = self.unlimited()
        slowest = max(1, ample.estimate.interval_cycles)
        if not goals.fits(ample):
            raise self.too_large(ample)
        wanted = self.wanted(slowest)
        found = self.plan(wanted) if wanted else None
        if found is None or found.estimate.interval_cycles > goals.interval:
            raise self.too_slow(slowest)
        if not goals.prompt(found):
            sooner = self.sooner(wanted)
            if sooner is not None:
                return sooner
            wanted = self.largest(goals.prompt, min(wanted, slowest))
            found = self.plan(wanted) if wanted else None
        if found is None or not goals.fits(found):
            raise self.too_slow(slowest)
        return self.known[wanted][0], found

    def wanted(self, slowest: int) -> int:
        """Cycles a frame to ask for first; 0 where no plan will do."""
        goals = self.goals
        if goals.size == FASTEST:
            return self.near(self.usual(slowest), slowest, NEAR)
        if goals.size == SMALLEST or goals.fps or goals.latency_us:
            return min(goals.interval, AMPLE)
        usual = try_plan(self.target, self.network, make_options(self.target, self.given))
        if usual is None:
            return self.least(goals.fits, 1, slowest)
        self.known[usual.estimate.interval_cycles] = self.given, usual
        return self.least(goals.fits, usual.estimate.interval_cycles, slowest)

    @property
    def limits(self) -> dict[str, object]:
        """What the part sets."""
        return {"device": self.goals.device, "fill": self.goals.fill} if self.goals.device else {}

    def plan(self, interval: int) -> Plan | None:
        """The target's plan for frames of at most so many cycles, if there is one."""
        if interval not in self.known:
            self.known[interval] = self.made(interval, self.limits)
        return self.known[interval][1]

    def made(self, interval: int, limits: Mapping[str, object]) -> tuple[dict[str, object], Plan | None]:
        """The target's options for frames of at most so many cycles, and its plan, if there is one."""
        options = dict(self.target.paced(self.network, self.given, interval, limits))
        return options, try_plan(self.target, self.network, make_options(self.target, options))

    def sooner(self, interval: int) -> tuple[dict[str, object], Plan] | None:
        """Options and plan of a target that itself plans for a latency; None where there is no such plan."""
        goals = self.goals
        assert goals.latency_us is not None
        cycles = math.floor(goals.latency_us * goals.clock.mhz)
        if cycles < 1:
            return None
        limits: dict[str, object] = {"latency": cycles}
        options, plan = self.made(interval, self.limits | limits)
        return (options, plan) if plan and goals.prompt(plan) and goals.fits(plan) else None

    def ladder(self, hint: int, slower: int, near: float) -> list[tuple[dict[str, object], Plan]]:
        """See `designs`."""
        goals = self.goals
        ample = self.plan(AMPLE)
        if ample is None or not goals.fits(ample):
            options = self.target.paced(self.network, self.given, AMPLE, {})
            return [(dict(options), ample or self.unlimited())]
        slowest = max(1, ample.estimate.interval_cycles)
        fastest = self.near(min(hint or self.usual(slowest), slowest), slowest, near)
        last = min(slowest, goals.interval)
        asked = [fastest, *(min(fastest << k, last) for k in range(1, slower + 1) if fastest < last)]
        if goals.fps is not None and len(asked) > 1:
            asked[-1] = last
        found = {}
        for interval in asked:
            plan = self.plan(interval)
            if plan is not None and goals.fits(plan):
                options = self.known[interval][0]
                found[repr(sorted(options.items()))] = dict(options), plan
        return list(found.values())

    def usual(self, slowest: int) -> int:
        """Cycles a frame of the usual design, at most those of the smallest one; where there is none, these."""
        plan = try_plan(self.target, self.network, make_options(self.target, self.given))
        return min(plan.estimate.interval_cycles, slowest) if plan else slowest

    def near(self, hint: int, last: int, near: float) -> int:
        """About the fewest cycles a frame for which to ask, by doubling and halving from the hint; `last` holds."""

        def taken(interval: int) -> int:
            plan = self.plan(interval)
            good = plan is not None and plan.estimate.interval_cycles <= interval and self.goals.fits(plan)
            return plan.estimate.interval_cycles if plan is not None and good else 0

        failed, high = 0, hint
        while not (cycles := taken(high)):
            if high >= last:
                return AMPLE
            failed, high = high, min(2 * high, last)
        trial = min(high, cycles) // 2
        while not failed and trial:
            if found := taken(trial):
                high, cycles, trial = trial, found, min(trial, found) // 2
            else:
                failed = trial
        while cycles > failed + 1 and cycles > failed * (1 + near):
            middle = _between(failed, cycles)
            if found := taken(middle):
                high, cycles = middle, found
            else:
                failed = middle
        return high

    def unlimited(self) -> Plan:
        """The smallest design where the part sets no limits; `ModelError` where there is none either."""
        options = self.target.paced(self.network, self.given, AMPLE, {})
        found = make_plan(self.target, self.network, make_options(self.target, options))
        if isinstance(found, Refusal):
            raise ModelError(f"target {self.target.name} refuses the network: {found}")
        return found

    def least(self, holds: Holds, low: int, high: int) -> int:
        """About the fewest cycles a frame from low to high of which the plan holds; 0 for none.

        Between the cycles that a plan was asked for and those that it takes there is no other plan.
        """

        def taken(interval: int) -> int:
            """Cycles of the plan where it holds, else 0."""
            plan = self.plan(interval)
            good = plan is not None and plan.estimate.interval_cycles <= interval and holds(plan)
            return plan.estimate.interval_cycles if plan is not None and good else 0

        if taken(low):
            return low
        if not taken(high):
            return 0
        asked, fastest = high, self.plan(low)
        low = max(low, min(high - 1, fastest.estimate.interval_cycles - 1)) if fastest else low
        while high > low + 1 and high > low * (1 + NEAR):
            middle = _between(low, high)
            if found := taken(middle):
                asked, high = middle, max(found, low + 1)
            else:
                low = middle
        return asked

    def largest(self, holds: Holds, high: int) -> int:
        """About the most cycles a frame up to high of which the plan holds; 0 for none."""
        low = self.least(lambda plan: True, 1, high)
        if not low or not self.holding(low, holds):
            return 0
        while high > low + 1 and high > low * (1 + NEAR):
            middle = _between(low, high)
            plan = self.plan(middle)
            if self.holding(middle, holds):
                low = middle
            else:
                high = max(low + 1, min(middle, plan.estimate.interval_cycles if plan else middle))
        return low

    def holding(self, interval: int, holds: Holds) -> bool:
        """Whether there is a plan, and it holds."""
        plan = self.plan(interval)
        return plan is not None and holds(plan)

    def too_large(self, smallest: Plan) -> ModelError:
        """That not even the smallest design fits."""
        kind, share = self.goals.fullest(smallest)
        legal = (
            "a larger device"
            if share > 1
            else f"fill of at least {math.ceil(1000 * share) / 1000:g}, or a larger device"
        )
        return self.error(
            f"the smallest design takes {percent(share)} of the {kind} of {self.goals.device}, of which "
            f"{100 * self.goals.fill:g} % may be used; legal is {legal}"
        )

    def too_slow(self, slowest: int) -> ModelError:
        """What the fastest design reaches."""
        goals, clock = self.goals, self.goals.clock
        within = f" within {100 * goals.fill:g} % of {goals.device}" if goals.device else ""
        best = self.plan(self.least(goals.fits, 1, slowest) or AMPLE)
        assert best is not None
        rules = []
        reached = clock.frames_per_second(best.estimate.interval_cycles)
        if goals.fps and reached < goals.fps:
            rules.append(
                f"fps={goals.fps:.10g} is out of reach: the fastest design found{within} makes {figure(reached)} "
                f"frames/s at {clock}; legal is fps of at most {math.floor(reached)}"
            )
        late = clock.microseconds(best.estimate.latency_cycles)
        if goals.latency_us and late > goals.latency_us:
            rules.append(
                f"latency_us={goals.latency_us:g} is out of reach: the first result of the fastest design found"
                f"{within} comes after {figure(late)} µs at {clock}; legal is latency_us of at least "
                f"{math.ceil(100 * late) / 100:g}"
            )
        if not rules:
            rules.append(f"no design found{within} keeps all goals at once; legal are lower goals, or a larger device")
        return self.error(*rules)

    def error(self, *rules: str) -> ModelError:
        return ModelError.of(f"target {self.target.name}", rules)


def _between(low: int, high: int) -> int:
    """A whole number about the geometric mean, which is neither of the two."""
    return min(high - 1, max(low + 1, round(math.sqrt(low * high))))
