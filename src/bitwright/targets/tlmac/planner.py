"""From a network and its options to a plan: folding goals, stream widths, FIFO depths, the estimate."""

from __future__ import annotations

from dataclasses import asdict, replace

from bitwright.errors import OptionError
from bitwright.network import INPUT, Network
from bitwright.rtl.window import Window
from bitwright.targets.tlmac import choice, fold
from bitwright.targets.tlmac.estimate import estimate
from bitwright.targets.tlmac.joins import fifo_pixels
from bitwright.targets.tlmac.layer import Fold, MacLayer
from bitwright.targets.tlmac.options import FOLDED, TlmacOptions
from bitwright.targets.tlmac.patch import variants
from bitwright.targets.tlmac.plan import TlmacPlan, UnitPlan
from bitwright.targets.tlmac.threads import each
from bitwright.targets.tlmac.timing import fixed_latency
from bitwright.targets.tlmac.units import Circuit, Unit, build_circuit, posts
from bitwright.targets.tlmac.waiting import with_fifos

BRAM_PRICES = (fold.LUTS_PER_BRAM36, 1_000, 4_000, 1_000_000)  # LUTs; the dearer ones where block RAM is short
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
    tighter, reached = goal, []
    for _ in range(ROUNDS):
        plan = plan_interval(circuit, options, tighter, goal)
        reached.append(plan.estimate.interval_cycles)
        found = plan if reached[-1] <= goal else with_fifos(plan, goal, options.threads)
        if found is not None and (options.bram36 is None or found.estimate.total.bram36 <= options.bram36):
            return replace(found, options=_chosen_options(options, goal))
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


def plan_interval(circuit: Circuit, options: TlmacOptions, goal: int, limit: int = 0) -> TlmacPlan:
    """The cheapest plan that keeps the limit on block RAM, with at most `goal` cycles a frame for every unit.

    Layers that cannot be that fast may take `limit` cycles where that is more.
    """
    for bram_price in BRAM_PRICES:
        plan = _plan_at(circuit, options, goal, bram_price, max(goal, limit))
        used = plan.estimate.total.bram36
        if options.bram36 is None or used <= options.bram36:
            return plan
    raise OptionError(f"bram36={options.bram36:g} is too small: the circuit needs at least {used:g} block RAMs")


def _plan_at(circuit: Circuit, options: TlmacOptions, goal: int, bram_price: float, limit: int) -> TlmacPlan:
    units: dict[str, UnitPlan] = {}
    layers = [unit for unit in circuit.units if unit.mac]
    found = each(lambda u: _choose(circuit.network, u, options, (goal, limit), bram_price), layers, options.threads)
    chosen = {unit.name: candidate for unit, candidate in zip(layers, found, strict=True)}
    lanes = {unit.name: _lanes(unit, chosen, goal) for unit in circuit.units}
    depths = fifo_pixels(circuit)
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
        after = posts(circuit.network, unit, mac.acc_type if mac else None, mac.constant if mac else None)
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
    while low < high:
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
    network: Network, unit: Unit, options: TlmacOptions, goals: tuple[int, ...], bram_price: float
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
