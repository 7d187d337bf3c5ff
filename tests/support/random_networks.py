"""Seeded random integer networks for property tests.

`random_network(seed)` grows a small valid network from random operations: vectors and images, every
operation, residual sums and concatenations, narrow and wide types. `operations` restricts the kinds of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from bitwright.errors import ModelError
from bitwright.network import BIPOLAR, INPUT, InputSpec, IntType, Network, Node, OutputSpec, TensorType, ops
from bitwright.network.bundles import bundled

MAX_LOOKUP_BITS = 10
KINDS: dict[str, dict[str, object]] = {  # shapes by name
    "usual": {},
    "wide": {"activation_bits": (8, 16), "input_bits": (8, 16), "channels": (1, 16)},
    "deep": {
        "image": True,
        "weight_bits": (4, 12),
        "activation_bits": (12, 20),
        "input_bits": (8, 20),
        "bipolar": False,
    },
    "few": {"weight_bits": (1, 2), "activation_bits": (1, 3), "input_bits": (1, 2), "channels": (4, 40)},
    "vector": {"image": False, "channels": (1, 60)},
}


@dataclass(frozen=True)
class Shape:
    """What a random network looks like; pairs are inclusive ranges."""

    operations: frozenset[str] = frozenset(ops.OPS)
    image: bool | None = None  # None: drawn
    depth: tuple[int, int] = (2, 8)
    size: tuple[int, int] = (1, 9)
    channels: tuple[int, int] = (1, 9)
    kernel: tuple[int, int] = (1, 4)
    weight_bits: tuple[int, int] = (1, 8)
    activation_bits: tuple[int, int] = (1, 8)
    input_bits: tuple[int, int] = (1, 8)
    accumulator_bits: int = 32  # a product whose type is wider is not drawn
    bipolar: bool = True
    bipolar_share: float | None = None  # of inputs, thresholds and 1-bit weights that are bipolar; None: some
    roundings: tuple[ops.Rounding, ...] = tuple(ops.Rounding)
    pad_values: bool = True  # pads of other values than zero
    dilation: bool = True
    groups: bool = True
    depthwise: float = 0.0  # share of convolutions with a group a channel
    bias: bool = True
    fan: bool = False  # several steps on one value, joined again

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", frozenset(self.operations))
        object.__setattr__(self, "roundings", tuple(ops.Rounding(r) for r in self.roundings))


def random_network(seed: int, **shape: object) -> Network:
    """A network drawn from `seed`; keyword arguments are the fields of `Shape`."""
    rngs = [np.random.default_rng(key) for key in (seed, (seed, 1), (seed, 3))]
    return _Grower(*rngs, Shape(**shape)).network(f"random_{seed}")


def random_ports(seed: int, inputs: int, outputs: int, **shape: object) -> Network:
    """A random network whose result meets other inputs one after the other, with outputs among all of its values."""
    rng, network = np.random.default_rng((seed, 2)), random_network(seed, **shape)
    tip, types = network.output_name, dict(network.types)
    specs, nodes = list(network.inputs), list(network.nodes)
    for k in range(1, inputs):
        side = f"side {k}"
        types[side] = TensorType(types[tip].shape, IntType(int(rng.integers(1, 9)), bool(rng.integers(2))))
        specs.append(InputSpec(types[side], name=side))
        op = (ops.Add, ops.Concat)[rng.integers(2)]() if types[tip].dtype.bits < 30 else ops.Concat()
        pair = (tip, side) if rng.integers(2) else (side, tip)
        join = Node(f"join {k}", op, pair)
        types[join.name] = op.infer(*(types[name] for name in pair))
        less = max(0, types[join.name].dtype.bits - 4)
        step = ops.Requantize(IntType(4, bool(rng.integers(2))), shift=np.array([less]))
        tip = f"step {k}"
        nodes += [join, Node(tip, step, (join.name,))]
        types[tip] = step.infer(types[join.name])
    names = [node.name for node in nodes[:-1]]
    chosen = [*rng.permutation(names)[: outputs - 1], nodes[-1].name]
    ends = [OutputSpec(value=str(name), name=f"out {k}") for k, name in enumerate(rng.permutation(chosen))]
    return Network([specs[k] for k in rng.permutation(len(specs))], nodes, ends, f"ports_{seed}")


def random_input(network: Network, count: int, seed: int = 0) -> np.ndarray:
    """`count` random integer inputs, the type's extremes among them, int64 [count, *shape]; several as a bundle."""
    rng = np.random.default_rng(seed)
    return bundled({spec.name: _random_values(rng, spec.type, count) for spec in network.inputs})


def _random_values(rng: np.random.Generator, t: TensorType, count: int) -> np.ndarray:
    x = (
        t.dtype.values()[rng.integers(0, t.dtype.levels, (count, *t.shape))]
        if t.dtype.bits <= 16
        else (rng.integers(t.dtype.min, t.dtype.max + 1, (count, *t.shape)))
    )
    if count > 2:
        x[0], x[1] = t.dtype.min, t.dtype.max
    return x


class _Grower:
    """`gates` draws the products of two values, so that those of one network change nothing of others without.

    `late` draws what was thought of later, for the same reason.
    """

    def __init__(
        self, rng: np.random.Generator, gates: np.random.Generator, late: np.random.Generator, shape: Shape
    ) -> None:
        self.rng = rng
        self.gates = gates
        self.late = late
        self.shape = shape
        self.nodes: list[Node] = []
        self.types: dict[str, TensorType] = {}
        self.tip = INPUT

    def between(self, limits: tuple[int, int]) -> int:
        return int(self.rng.integers(limits[0], limits[1] + 1))

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def allows(self, *kinds: str) -> bool:
        return set(kinds) <= self.shape.operations

    def network(self, name: str) -> Network:
        s = self.shape
        image = self.chance(0.7) if s.image is None else s.image
        sizes = (self.between(s.size), self.between(s.size)) if image else ()
        dtype = self._activation_type(s.input_bits, bipolar=s.bipolar and s.input_bits[0] == 1)
        source = TensorType((*sizes, self.between(s.channels)), dtype)
        self.types[INPUT] = source
        for _ in range(self.between(s.depth)):
            self._grow()
        if not self.nodes:
            self._product() or self._put(ops.Requantize(IntType(4)))
        if self.allows("ArgMax") and self.chance(0.2):
            self._put(ops.ArgMax())
        return Network(InputSpec(source), tuple(self.nodes), name=name)

    @property
    def here(self) -> TensorType:
        return self.types[self.tip]

    def _put(self, op: ops.Op, *inputs: str) -> bool:
        """Append a node on `inputs` (the tip if none) if it is legal; it becomes the tip."""
        inputs = inputs or (self.tip,)
        try:
            result = op.infer(*(self.types[n] for n in inputs))
        except ModelError:
            return False
        if result.dtype.bits > self.shape.accumulator_bits or result.size > 20_000:
            return False
        self.tip = f"n{len(self.nodes)}_{type(op).__name__.lower()}"
        self.nodes.append(Node(self.tip, op, inputs))
        self.types[self.tip] = result
        return True

    def _grow(self) -> None:
        moves: list[Callable[[], object]] = [self._product, self._product_step, self._product_step, self._step]
        moves += [self._join] + [self._fan] * self.shape.fan
        if len(self.here.shape) == 3:
            moves += [self._pool, self._reshape_image]
        self.rng.choice(np.array(moves, object))()
        if self.allows("Weave") and len(self.here.shape) == 3 and self.late.random() < 0.12:
            self.rng, self.late = self.late, self.rng
            self._turns()
            self.rng, self.late = self.late, self.rng
        if self.allows("Mul") and self.gates.random() < 0.12:
            self.rng, self.gates = self.gates, self.rng
            self._gate()
            self.rng, self.gates = self.gates, self.rng
        if self.here.dtype.bits > self.shape.activation_bits[1] and self.chance(0.8):
            self._step()

    def _product_step(self) -> None:
        self._product()
        self._step()

    def _activation_type(self, limits: tuple[int, int], bipolar: bool) -> IntType:
        if bipolar and self.chance(self._bipolar_share(0.15)):
            return BIPOLAR
        bits = self.between(limits)
        return IntType(bits, bits > 1 and self.chance(0.4))

    def _bipolar_share(self, usual: float) -> float:
        return usual if self.shape.bipolar_share is None else self.shape.bipolar_share

    def _weights(self, shape: tuple[int, ...]) -> tuple[np.ndarray, IntType]:
        bits = self.between(self.shape.weight_bits)
        dtype = BIPOLAR if bits == 1 and self.chance(self._bipolar_share(0.7)) else IntType(bits, bits > 1)
        w = dtype.values()[self.rng.integers(0, dtype.levels, shape)]
        if not dtype.bipolar and self.chance(0.3):
            w = np.where(self.rng.random(shape) < 0.5, 0, w)
        return w, dtype

    def _bias(self, outputs: int) -> np.ndarray | None:
        if not (self.shape.bias and self.chance(0.4)):
            return None
        return self.rng.integers(-200, 201, outputs)

    def _product(self) -> bool:
        return self._conv() if len(self.here.shape) == 3 else self._dense()

    def _dense(self, outputs: int | None = None) -> bool:
        if not self.allows("Dense"):
            return False
        outputs = outputs or self.between(self.shape.channels)
        weight, dtype = self._weights((outputs, self.here.channels))
        return self._put(ops.Dense(weight, dtype, self._bias(outputs)))

    def _conv(self, outputs: int | None = None, same: bool = False) -> bool:
        """A convolution; `same` keeps the size of the image."""
        if not self.allows("Conv2d"):
            return False
        channels, s = self.here.channels, self.shape
        kernel = (self.between(s.kernel), self.between(s.kernel))
        dilation = (1, 1) if not s.dilation or self.chance(0.8) else (self.between((1, 2)), self.between((1, 2)))
        outputs = outputs or self.between(s.channels)
        groups = self._groups(channels, outputs)
        if s.depthwise and self.chance(s.depthwise) and (not same or outputs % channels == 0):
            groups, outputs = channels, outputs if same else channels * self.between((1, 2))
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        pads = (reach[0] // 2, reach[1] // 2, -(-reach[0] // 2), -(-reach[1] // 2))
        if not same:
            pads = tuple(self.between((0, k)) for k in kernel * 2) if self.chance(0.5) else (0, 0, 0, 0)
        stride = (1, 1) if same or self.chance(0.6) else (self.between((1, 3)), self.between((1, 2)))
        weight, dtype = self._weights((outputs, *kernel, channels // groups))
        pad_value = self._pad_value()
        return self._put(ops.Conv2d(weight, dtype, stride, pads, dilation, groups, pad_value, self._bias(outputs)))

    def _groups(self, channels: int, outputs: int) -> int:
        legal = [g for g in range(1, channels + 1) if channels % g == 0 and outputs % g == 0]
        return int(self.rng.choice(legal)) if self.shape.groups and self.chance(0.4) else 1

    def _pad_value(self) -> int:
        dtype = self.here.dtype
        if dtype.bipolar:
            return int(self.rng.choice([-1, 1]))
        if not self.shape.pad_values or self.chance(0.7):
            return 0
        return int(self.rng.integers(dtype.min, dtype.max + 1))

    def _step(self) -> bool:
        kinds = [k for k in ("Threshold", "Threshold", "Requantize", "Lookup") if self.allows(k)]
        if not kinds:
            return False
        kind = self.rng.choice(kinds)
        if kind == "Lookup" and self.here.dtype.bits <= MAX_LOOKUP_BITS:
            return self._lookup()
        return self._requantize() if kind == "Requantize" or not self.allows("Threshold") else self._threshold()

    def _per_channel(self) -> int:
        return self.here.channels if self.chance(0.7) else 1

    def _threshold(self) -> bool:
        channels = self._per_channel()
        if self.shape.bipolar and self.shape.activation_bits[0] == 1 and self.chance(self._bipolar_share(0.2)):
            step = self.rng.choice([-2, 2], channels)
            return self._put(ops.Threshold(self._thresholds(channels, 1), BIPOLAR, -step // 2, step))
        dtype = self._activation_type(self.shape.activation_bits, bipolar=False)
        if dtype.bits > 10:
            return self._requantize() if self.allows("Requantize") else False
        count = dtype.levels - 1
        step = np.where(self.rng.random(channels) < 0.25, -1, 1)
        base = np.where(step < 0, dtype.max, dtype.min)
        return self._put(ops.Threshold(self._thresholds(channels, count), dtype, base, step))

    def _thresholds(self, channels: int, count: int) -> np.ndarray:
        """Ascending thresholds: evenly spaced as an affine quantizer has them, or freely drawn; some out of range."""
        low, high = self.here.dtype.min, self.here.dtype.max
        width = (high - low + 1) * self.rng.choice([0.05, 0.3, 1.0, 1.2])
        middle = (low + high) / 2 + self.rng.normal(size=(channels, 1)) * width / 6
        if self.chance(0.7):
            places = np.linspace(-0.5, 0.5, count)[None] * np.abs(self.rng.normal(1, 0.2, (channels, 1)))
        else:
            places = np.sort(self.rng.normal(0, 0.3, (channels, count)), axis=1)
        return np.ceil(middle + places * width).astype(np.int64)

    def _requantize(self) -> bool:
        channels = self._per_channel()
        dtype = self._activation_type(self.shape.activation_bits, bipolar=False)
        bits = self.here.dtype.bits
        precision = int(self.rng.choice([0, 0, 6, 15, 24]))
        shift = np.clip(bits - dtype.bits + precision - self.rng.integers(0, 4, channels), 0, 32)
        multiplier = self.rng.integers(1 << precision >> 1, (1 << precision) + 1, channels)
        multiplier = np.maximum(multiplier, 1) * np.where(self.rng.random(channels) < 0.15, -1, 1)
        bias = self.rng.integers(-(1 << min(bits + precision, 40)), 1 << min(bits + precision, 40), channels) // 8
        rounding = self.rng.choice(np.array(self.shape.roundings, object))
        zero = int(self.rng.integers(-3, 4))
        seed = int(self.rng.integers(1, 1 << 32))
        return self._put(ops.Requantize(dtype, multiplier, shift, bias * self.chance(0.5), zero, rounding, seed))

    def _lookup(self) -> bool:
        dtype = self._activation_type(self.shape.activation_bits, bipolar=self.shape.bipolar)
        table = dtype.values()[self.rng.integers(0, dtype.levels, (self._per_channel(), self.here.dtype.levels))]
        return self._put(ops.Lookup(self.here.dtype, table, dtype))

    def _pool(self) -> bool:
        kernel = (self.between((1, 3)), self.between((1, 3)))
        if self.chance(0.2):
            kernel = self.here.shape[:2]
        stride = (self.between((1, 3)), self.between((1, 3)))
        pads = tuple(self.between((0, k - 1)) for k in kernel * 2) if self.chance(0.4) else (0, 0, 0, 0)
        kinds = [ops.OPS[k] for k in ("MaxPool", "SumPool") if self.allows(k)]
        dilation = (1, 1)
        if self.shape.dilation and self.late.random() < 0.2:
            dilation = tuple(int(d) for d in self.late.integers(1, 3, 2))
        if not kinds:
            return False
        kind = kinds[int(self.rng.integers(len(kinds)))]
        return self._put(kind(kernel, stride, pads, dilation)) or self._put(kind(kernel, stride, pads))

    def _reshape_image(self) -> bool:
        kind = self.rng.choice(["Pad", "Resize", "Flatten"])
        if not self.allows(str(kind)):
            return False
        if kind == "Pad":
            return self._put(ops.Pad(tuple(self.between((0, 2)) for _ in range(4)), self._pad_value()))
        if kind == "Resize":
            return self._put(ops.Resize((self.between((1, 2)), self.between((1, 2)))))
        return self._put(ops.Flatten())

    def _join(self) -> None:
        """A branch and its sum or concatenation with where it began."""
        kinds: Iterable[str] = [k for k in ("Add", "Concat") if self.allows(k)]
        if not kinds:
            return
        start, before, length = self.tip, self.here, len(self.nodes)
        grown = self._conv(before.channels, same=True) if len(before.shape) == 3 else self._dense(before.channels)
        grown = grown and self._step()
        kind = str(self.rng.choice(list(kinds)))
        pair = (start, self.tip) if self.chance(0.5) else (self.tip, start)
        if not (grown and self._put(ops.OPS[kind](), *pair)):
            self._undo(length, start)

    def _gate(self) -> None:
        """The tip times a value made of it: of its shape, of one pixel or of one channel."""
        start, before, length = self.tip, self.here, len(self.nodes)
        image, kind = len(before.shape) == 3, str(self.rng.choice(["same", "pixel", "channel"]))
        grown = True
        if kind == "pixel" and image:
            pools = [ops.OPS[k] for k in ("MaxPool", "SumPool") if self.allows(k)]
            grown = bool(pools) and self._put(pools[int(self.rng.integers(len(pools)))](before.shape[:2]))
        elif kind == "channel":
            grown = self._conv(1, same=True) if image else self._dense(1)
        grown = grown and self._step()
        zeros = [int(v) for v in self.rng.integers(-4, 9, 2) * self.chance(0.5)]
        if not (grown and self._put(ops.Mul(tuple(zeros)), start, self.tip)):
            self._undo(length, start)

    def _turns(self) -> None:
        """The tip in turns with a step on it, or behind it."""
        start, length, axis = self.tip, len(self.nodes), int(self.rng.integers(2))
        size = self.here.shape[axis]
        whole = [(k, k) for k in range(1, size + 1) if size % k == 0]
        pair = (start, self.tip) if not self._step() or self.chance(0.5) else (self.tip, start)
        if not self._put(ops.Weave(axis, whole[int(self.rng.integers(len(whole)))]), *pair):
            self._undo(length, start)

    def _fan(self) -> None:
        """Two to four steps on the tip, and the sum or concatenation of their results."""
        kinds = [k for k in ("Add", "Concat") if self.allows(k)]
        start, length = self.tip, len(self.nodes)
        ends = [self.tip for _ in range(self.between((2, 4))) if self._branch(start)]
        self.tip = ends[0] if ends else start
        joined = [self._put(ops.OPS[str(self.rng.choice(kinds))](), self.tip, end) for end in ends[1:] if kinds]
        if not joined or not all(joined):
            self._undo(length, start)

    def _branch(self, start: str) -> bool:
        self.tip = start
        return self._step()

    def _undo(self, length: int, tip: str) -> None:
        """Take back all nodes from number `length` on."""
        for node in self.nodes[length:]:
            del self.types[node.name]
        del self.nodes[length:]
        self.tip = tip
