"""From a network and its options to a plan: folding goals, stream widths, FIFO depths, the estimate."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import asdict, replace

from bitwright.errors import OptionError
from bitwright.network import INPUT, Network
from bitwright.rtl.window import Window
from bitwright.targets.contract import Resources
from bitwright.targets.tlmac import choice, fold
from bitwright.targets.tlmac.estimate import estimate
from bitwright.targets.tlmac.joins import fifo_pixels
from bitwright.targets.tlmac.layer import Fold, MacLayer
from bitwright.targets.tlmac.limits import FREE_BRAM36, Alternative, Limits, alternative, alternatives, select
from bitwright.targets.tlmac.options import FOLDED, TlmacOptions
from bitwright.targets.tlmac.patch import ROWS, variants
from bitwright.targets.tlmac.plan import TlmacPlan, UnitPlan
from bitwright.targets.tlmac.threads import each
from bitwright.targets.tlmac.timing import fixed_latency
from bitwright.targets.tlmac.units import Circuit, Unit, build_circuit, posts
from bitwright.targets.tlmac.waiting import with_fifos

NOTHING = Resources()
ROUNDS = 5  # of planning, each with a tighter goal
DEFAULT_WORDS = 16  # without a goal, a frame takes about as long as its input at this many elements a word


def plan_network(network: Network, options: TlmacOptions) -> TlmacPlan:
    """The plan that meets the goal; `OptionError` where none can."""
    circuit = build_circuit(network)
    _check_layers(circuit, options)
    if options.lut is not None:
        return _within(circuit, options)
    if options.interval is None:
        return plan_interval(circuit, options, default_interval(circuit, options))
    return _keep(circuit, options, options.interval)


def _keep(circuit: Circuit, options: TlmacOptions, goal: int) -> TlmacPlan:
    """The plan whose whole circuit keeps the goal, though units wait for each other.

    First by deeper FIFOs, else by planning the units for a tighter goal. Foldings that the user chose are not judged.
    """
    tighter, reached, limits, reserve = goal, [], Limits.of(options), NOTHING
    for _ in range(ROUNDS):
        plan = plan_interval(circuit, options, tighter, goal, reserve)
        reached.append(plan.estimate.interval_cycles)
        found = plan if reached[-1] <= goal else with_fifos(plan, goal, options.threads)
        if found is not None and limits.hold(found.estimate.total):
            return replace(found, options=_chosen_options(options, goal))
        if found is not None:  # the same goal again, with room for the FIFOs
            reserve = found.estimate.total - plan.estimate.total
        else:
            tighter = max(1, min(tighter - 1, tighter * goal // reached[-1]))
    if options.layers:
        return plan_interval(circuit, options, goal)
    raise OptionError(f"interval={goal} is out of reach: the fastest circuit found takes {min(reached)} cycles a frame")


def default_interval(circuit: Circuit, options: TlmacOptions) -> int:
    """The goal where the user sets none: about 64 multiplications a cycle in the busiest layer."""
    layers = [unit.mac for unit in circuit.units if unit.mac]
    busiest = max((layer.macs for layer in layers), default=0)
    least = max((fold.fastest(layer, options.elements or FOLDED) for layer in layers), default=1)
    return max(1, least, busiest // 64, circuit.network.input.type.size // DEFAULT_WORDS)


def plan_interval(
    circuit: Circuit, options: TlmacOptions, goal: int, limit: int = 0, reserve: Resources = NOTHING
) -> TlmacPlan:
    """The cheapest plan that keeps the limits, with at most `goal` cycles a frame for every unit.

    Layers that cannot be that fast may take `limit` cycles where that is more. reserve: what is left of the limits.
    """
    goals, limits = (goal, max(goal, limit)), Limits.of(options)
    layers = [unit for unit in circuit.units if unit.mac]
    found = each(lambda u: _choose(circuit.network, u, options, goals), layers, options.threads)
    chosen = {unit.name: candidate for unit, candidate in zip(layers, found, strict=True)}
    plan = _assemble(circuit, options, goal, chosen)
    if options.bram36 is None and limits.hold(plan.estimate.total + reserve):
        return plan
    return _within_limits(circuit, options, goals, (plan, chosen), limits, reserve)


def _within_limits(
    circuit: Circuit,
    options: TlmacOptions,
    goals: tuple[int, ...],
    start: tuple[TlmacPlan, dict[str, fold.Candidate]],
    limits: Limits,
    reserve: Resources,
) -> TlmacPlan:
    """The cheapest plan within the limits, from the one without and its candidates.

    What an alternative changes in other places (widths of streams, FIFOs) is known only of a whole plan, so the choice
    is repeated until the whole keeps the limits.
    """
    (plan, chosen), network = start, circuit.network
    scarce = plan.estimate.total.bram36 + reserve.bram36 > limits.bram36
    if plan.estimate.total.lut > limits.lut:
        limits = replace(limits, bram_price=FREE_BRAM36)

    def considered(unit: UnitPlan) -> list[Alternative]:
        pool = _pool(network, unit.unit, options, goals, chosen[unit.unit.name], scarce) if unit.mac else ()
        return alternatives(network, unit, pool, limits.bram_price)

    units = each(considered, plan.units, options.threads)
    picks = [alternative(network, unit, chosen.get(unit.unit.name)) for unit in plan.units]
    for _ in range(ROUNDS):
        rest, before = plan.estimate.total + reserve - sum((pick.cost for pick in picks), NOTHING), picks
        picks = select(units, rest, limits)
        if picks == before:
            break
        by_name = {unit.unit.name: pick for unit, pick in zip(plan.units, picks, strict=True)}
        found = {name: _told(by_name[name].candidate, first) for name, first in chosen.items()}
        plan = _assemble(circuit, options, goals[0], found, {name for name, pick in by_name.items() if not pick.dsp})
        if limits.hold(plan.estimate.total + reserve):
            return plan
    raise limits.refusal(plan.estimate.total + reserve)


def _pool(
    network: Network,
    unit: Unit,
    options: TlmacOptions,
    goals: tuple[int, ...],
    chosen: fold.Candidate,
    scarce: bool,
) -> Iterator[fold.Candidate]:
    """What may take the place of a layer's candidate: the user's folding with other ROMs, or any."""
    yield chosen
    if unit.name in options.layers:
        yield from (_choose(network, unit, options, goals, price) for price in choice.BRAM_PRICES)
    else:
        reached = max(chosen.plan.cycles, chosen.plan.patch_cycles)
        goal = next(goal for goal in goals if reached <= goal)
        yield from choice.pool(network, unit, goal, options.elements, scarce)


def _told(found: fold.Candidate, first: fold.Candidate) -> fold.Candidate:
    """A candidate whose plan tells what the layer's first one was compared with."""
    rows = first.plan.candidates
    if found.row not in rows:
        rows = (*rows, found.row)
    return replace(found, plan=replace(found.plan, candidates=rows, remark=first.plan.remark))


def _assemble(
    circuit: Circuit,
    options: TlmacOptions,
    goal: int,
    chosen: dict[str, fold.Candidate],
    in_luts: Set[str] = frozenset(),
) -> TlmacPlan:
    """The plan of these candidates by layer; the units `in_luts` rescale without DSP blocks."""
    units: dict[str, UnitPlan] = {}
    lanes = {unit.name: _lanes(unit, chosen, goal) for unit in circuit.units}
    by_rows = {name for name, found in chosen.items() if any(patch.module == ROWS for patch in found.plan.patches)}
    depths = fifo_pixels(circuit, by_rows)
    first = circuit.readers(INPUT)[0][0]
    delay = {INPUT: 0}  # register stages on the longest way to a value
    produced = {INPUT: lanes[circuit.units[first].name]}
    for unit in circuit.units:
        reads = lanes[unit.name]
        wanted = [lanes[circuit.units[i].name] for i, _ in circuit.readers(unit.value)]
        out, mac = reads, None
        if unit.mac:
            mac = chosen[unit.name].plan
            mac = replace(mac, out_lanes=fold.out_lanes(mac.fold, mac.layer, wanted[0] if wanted else 1))
            out = mac.out_lanes
        elif unit.kind == "argmax":
            out = 1
        dsp = unit.name not in in_luts
        after = posts(circuit.network, unit, mac.acc_type if mac else None, mac.constant if mac else None, dsp)
        result = circuit.network.types[unit.node.name if unit.node else unit.value].dtype
        inputs = tuple(produced[value] for value in unit.inputs)
        late = max(delay[value] for value in unit.inputs)
        words = tuple(
            # what branches in step need, and what the later one's pipeline delays at full speed
            -(-pixels * t.size // (stream * n)) + -(-(late - delay[value]) * t.size // (n * goal))
            for (pixels, stream), t, n, value in zip(
                depths.get(unit.name, ()), unit.input_types, inputs, unit.inputs, strict=False
            )
        )
        fifos = words or (0,) * len(inputs)
        units[unit.name] = UnitPlan(unit, inputs, reads, out, tuple(after), result, mac, fifos, (0,) * len(inputs))
        produced[unit.value] = out
        delay[unit.value] = late + fixed_latency(units[unit.name])
    plans = tuple(units.values())
    return TlmacPlan(
        circuit.network, circuit, plans, estimate(circuit, plans, options.threads), _chosen_options(options, goal)
    )


def _chosen_options(options: TlmacOptions, goal: int) -> dict[str, object]:
    return {k: v for k, v in asdict(options).items() if v and k != "jobs"} | {"goal_cycles": goal}


def _within(circuit: Circuit, options: TlmacOptions) -> TlmacPlan:
    """The fastest plan of at most `options.lut` LUTs, by bisection over the interval."""
    low, high = 1, max(unit.mac.macs * unit.mac.in_bits for unit in circuit.units if unit.mac)
    smallest = plan_interval(circuit, options, high)
    if smallest.estimate.total.lut > options.lut:
        need = round(smallest.estimate.total.lut)
        raise OptionError(f"lut={options.lut} is too small: the smallest circuit takes about {need} LUTs")
    found = smallest
    while low < high - high // 200:  # to half a percent
        middle = int((low * high) ** 0.5)
        try:
            plan = plan_interval(circuit, options, middle)
            fits = plan.estimate.total.lut <= options.lut
        except OptionError:
            fits = False
        if fits:
            found, high = plan, middle
        else:
            low = middle + 1
    return found


def _check_layers(circuit: Circuit, options: TlmacOptions) -> None:
    names = [unit.name for unit in circuit.units if unit.mac]
    for name in options.layers:
        if name not in names:
            raise OptionError(f"layers: no multiply-accumulate layer {name!r}; legal are {', '.join(names)}")


def _choose(
    network: Network,
    unit: Unit,
    options: TlmacOptions,
    goals: tuple[int, ...],
    bram_price: float = fold.LUTS_PER_BRAM36,
) -> fold.Candidate:
    """The user's folding of a layer, or the cheapest one that reaches the first of the goals that one can reach."""
    layer: MacLayer = unit.mac
    if unit.name in options.layers:
        wish = dict(options.layers[unit.name])
        kind = str(wish.pop("element", "products"))
        name = str(wish.pop("taps", "plain"))
        variant = next((v for v in variants(layer) if v.name == name), None)
        found = None
        if variant is not None:
            chosen = Fold(**{"lanes": variant.taps, "outputs": 1} | wish)
            if chosen.legal(variant.layer) and chosen.lanes % variant.taps == 0:
                found = fold.candidate(variant, chosen, kind, bram_price)
        if found is None:
            raise OptionError(f"layers: {unit.name} cannot be built as {options.layers[unit.name]}")
        return found
    for goal in dict.fromkeys(goals):
        found = choice.choose(network, unit, goal, options.elements, bram_price)
        if found is not None:
            return found
    least = choice.fastest(layer, options.elements)
    raise OptionError(f"layer {unit.name} cannot reach {goal} cycles a frame; its fastest circuit takes {least}")


def _lanes(unit: Unit, chosen: dict[str, fold.Candidate], goal: int) -> int:
    """Lanes of a unit's words: as folded, or the fewest that reach the goal."""
    if unit.mac:
        return chosen[unit.name].plan.in_lanes
    channels = [t.channels for t in unit.input_types]
    common = [d for d in fold.divisors(min(channels)) if all(c % d == 0 for c in channels)]
    words = max(unit.type.size, *(t.size for t in unit.input_types))
    return next((d for d in common if max(words // d, _pool_cycles(unit, d)) <= goal), common[-1])


def _pool_cycles(unit: Unit, lanes: int) -> int:
    """Cycles a frame of a pool's window reader on words of `lanes` channels; 0 for other units."""
    if unit.kind not in ("maxpool", "sumpool"):
        return 0
    op, (height, width, channels) = unit.node.op, unit.input_types[0].shape
    chunks = channels // lanes
    return Window(1, height, width, chunks, op.kernel, op.stride, op.pads, groups=chunks).interval_cycles
