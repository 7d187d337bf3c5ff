"""The arithmetic modules against the operations that they implement."""

import numpy as np
import pytest
from rtl_bank import HEAVY, LIGHT, STARVED, Case, pack

from bitwright.errors import ModelError
from bitwright.hardware.modules.channel_add import ChannelAdd
from bitwright.hardware.modules.lookup import LookupModule
from bitwright.hardware.modules.requantize import RequantizeModule
from bitwright.hardware.modules.requantize_lut import RequantizeLut
from bitwright.hardware.modules.stream_multiply import StreamMultiply
from bitwright.hardware.modules.threshold import ThresholdModule
from bitwright.network.ops import Add, ArgMax, Concat, Lookup, MaxPool, Mul, Requantize, Rounding, SumPool, Threshold
from bitwright.network.types import BIPOLAR, IntType, TensorType

FRAMES = 3
PIXELS = 12
INT8, UINT8, UINT4 = IntType(8, True), IntType(8), IntType(4)


def values(rng, dtype: IntType, shape) -> np.ndarray:
    """Random values with the extremes among them."""
    x = (
        dtype.values()[rng.integers(0, dtype.levels, shape)]
        if dtype.bits <= 16
        else rng.integers(dtype.min, dtype.max + 1, shape)
    )
    flat = x.reshape(-1)
    flat[:2] = dtype.min, dtype.max
    return x


def encode(x: np.ndarray, dtype: IntType, lanes: int) -> list[int]:
    return pack(dtype.encode(x).reshape(-1, lanes), dtype.bits)


def channelwise(op, kind: type, dtype: IntType, channels: int, lanes: int, seed: int) -> Case:
    """A case of an operation on (H, W, C) by a class of modules."""
    t = TensorType((3, PIXELS // 3, channels), dtype)
    x = values(np.random.default_rng(seed), dtype, (FRAMES, *t.shape))
    out = op.infer(t).dtype
    module = kind.of(op, t, lanes)
    name = f"case_{module.rtl}_{seed}"
    return Case(
        module.rtl,
        module.parameters(name),
        {"s": encode(x, dtype, lanes)},
        {"m": encode(op.evaluate(x), out, lanes)},
        {"s": lanes * dtype.bits, "m": lanes * out.bits},
        files=module.files(name),
        label=f"{dtype} to {out}",
    )


def threshold(seed, dtype, out, channels, lanes, count, rows=None, base=0, step=1, span=1.3) -> Case:
    rng = np.random.default_rng(seed)
    low, high = span * (dtype.min - 1), span * (dtype.max + 2)
    t = np.sort(np.floor(rng.uniform(low, high, (rows or channels, count))), axis=1)
    op = Threshold(t, out, base, step)
    return channelwise(op, ThresholdModule, dtype, channels, lanes, seed)


def mixed(channels: int, count: int) -> dict:
    """Rising and falling channels by turns."""
    step = np.where(np.arange(channels) % 2, -1, 1)
    return {"step": step, "base": np.where(step > 0, 0, count)}


BIPOLAR_MIXED = {"step": np.array([2, -2, -2, 2]), "base": np.array([-1, 1, 1, -1])}
THRESHOLDS = [
    threshold(1, INT8, IntType(2), 4, 2, 3),
    threshold(2, INT8, IntType(2), 4, 4, 3, rows=1),
    threshold(3, UINT8, IntType(3), 6, 3, 7, span=1.0),
    threshold(4, IntType(12, True), UINT4, 3, 1, 15),
    threshold(5, IntType(12, True), IntType(4, True), 3, 3, 15, base=-8),
    threshold(6, INT8, IntType(3), 4, 2, 7, **mixed(4, 7)),
    threshold(7, INT8, IntType(3), 2, 2, 5, base=5, step=-1),
    threshold(8, INT8, BIPOLAR, 4, 2, 1, base=-1, step=2),
    threshold(9, INT8, BIPOLAR, 4, 2, 1, base=1, step=-2),
    threshold(10, UINT4, BIPOLAR, 4, 2, 1, **BIPOLAR_MIXED),
    threshold(11, BIPOLAR, IntType(2), 4, 4, 2),
    threshold(12, IntType(1), IntType(1), 4, 1, 1),
    threshold(13, IntType(1, True), IntType(1, True), 4, 1, 1, base=-1),
    threshold(14, IntType(10, True), UINT8, 2, 1, 255, span=0.9),
    threshold(15, IntType(24, True), IntType(2), 10, 5, 3),
    threshold(16, UINT4, IntType(5), 4, 2, 24, span=3.0),
    threshold(17, UINT4, IntType(3, True), 2, 1, 0, base=-3),
    threshold(18, INT8, IntType(6), 64, 4, 63),
]


def requantize(
    number, dtype, out, channels, lanes, rounding, mult=(1, 1), shift=(4, 4), bias=0, rows=None, lut=False, **options
):
    rng = np.random.default_rng(number)
    rows = rows or channels
    op = Requantize(
        out,
        rng.integers(mult[0], mult[1] + 1, rows),
        rng.integers(shift[0], shift[1] + 1, rows),
        rng.integers(-bias, bias + 1, rows),
        rounding=rounding,
        **options,
    )
    return channelwise(op, RequantizeLut if lut else RequantizeModule, dtype, channels, lanes, number)


R = Rounding
REQUANTIZERS = [
    *(requantize(20 + i, IntType(14, True), INT8, 4, 2, r) for i, r in enumerate(R)),
    *(requantize(30 + i, IntType(14, True), INT8, 4, 2, r, (-99, 99), (0, 9), 5000) for i, r in enumerate(R)),
    *(requantize(40 + i, UINT8, UINT8, 3, 1, r, shift=(0, 5), bias=100, zero_point=7) for i, r in enumerate(R)),
    requantize(50, IntType(20, True), UINT8, 6, 3, R.HALF_EVEN, (30000, 65535), (24, 24), rows=1, zero_point=128),
    requantize(51, IntType(24, True), INT8, 4, 4, R.STOCHASTIC, (1 << 30, (1 << 31) - 1), (30, 32), seed=0xDEADBEEF),
    requantize(52, IntType(10, True), IntType(1), 4, 2, R.HALF_EVEN),
    requantize(53, IntType(10, True), IntType(1, True), 4, 2, R.HALF_AWAY),
    requantize(54, INT8, IntType(16, True), 4, 2, R.HALF_UP, (1, 300), (0, 2), zero_point=-1000),
    requantize(55, UINT4, UINT8, 4, 2, R.HALF_EVEN, shift=(32, 32), bias=10),
    requantize(56, BIPOLAR, INT8, 4, 2, R.HALF_AWAY, (-50, 50), (2, 3), 30),
    requantize(57, INT8, INT8, 4, 2, R.FLOOR, shift=(0, 0)),
    requantize(58, IntType(32, True), IntType(32, True), 2, 1, R.HALF_EVEN, (1, 1 << 27), (3, 20), 1 << 50),
    requantize(59, INT8, INT8, 4, 2, R.HALF_EVEN, (64, 255), (6, 11), 0),
]
REQUANTIZERS_LUT = [
    *(
        requantize(200 + i, IntType(14, True), INT8, 4, 2, r, (-99, 99), (0, 9), 5000, lut=True)
        for i, r in enumerate(R)
    ),
    requantize(210, IntType(20), UINT8, 6, 3, R.HALF_EVEN, (30000, 65535), (24, 24), rows=1, zero_point=128, lut=True),
    requantize(211, IntType(24, True), INT8, 4, 4, R.STOCHASTIC, (1 << 30, (1 << 31) - 1), (30, 32), lut=True),
    requantize(212, UINT8, INT8, 6, 2, R.HALF_UP, (-32768, 32767), (14, 15), 1 << 20, lut=True),
    requantize(213, IntType(1), INT8, 4, 1, R.FLOOR, (-2, 1), (0, 0), lut=True),
    requantize(214, BIPOLAR, INT8, 4, 2, R.HALF_AWAY, (-50, 50), (2, 3), 30, lut=True),
    requantize(215, IntType(9), INT8, 3, 3, R.HALF_EVEN, (-128, -128), (7, 9), lut=True),
]


def lookup(seed, domain, out, channels, lanes, rows=None) -> Case:
    rng = np.random.default_rng(seed)
    op = Lookup(domain, values(rng, out, (rows or channels, domain.levels)), out)
    return channelwise(op, LookupModule, domain, channels, lanes, seed)


def pool(op, seed, dtype, lanes, mode) -> Case:
    """Windows that do not overlap, so that the input words are the reshaped image."""
    rng = np.random.default_rng(seed)
    (kh, kw), groups = op.kernel, 2
    x = values(rng, dtype, (FRAMES, kh * 2, kw * 3, groups * lanes))
    t = op.infer(TensorType(x.shape[1:], dtype))
    taps = x.reshape(FRAMES, 2, kh, 3, kw, groups, lanes).transpose(0, 1, 3, 5, 2, 4, 6)
    parameters = {"Lanes": lanes, "InBits": dtype.bits, "OutBits": t.dtype.bits, "InSigned": dtype.signed}
    return Case(
        "pool_reduce",
        parameters | {"Op": mode, "Taps": kh * kw},
        {"s": encode(taps, dtype, lanes)},
        {"m": encode(op.evaluate(x), t.dtype, lanes)},
        {"s": lanes * dtype.bits, "m": lanes * t.dtype.bits},
    )


def join(seed, op, a_type, b_type, lanes, channels) -> Case:
    """A sum or a concatenation of pixels of (a, b) channels."""
    rng = np.random.default_rng(seed)
    types = [TensorType((n,), t) for n, t in zip(channels, (a_type, b_type), strict=True)]
    a, b = (values(rng, t.dtype, (80, *t.shape)) for t in types)
    out = op.infer(*types).dtype
    parameters = {"ABits": a_type.bits, "ASigned": a_type.signed, "BBits": b_type.bits, "BSigned": b_type.signed}
    if isinstance(op, Concat):
        parameters |= {"AWords": channels[0] // lanes, "BWords": channels[1] // lanes}
    return Case(
        "stream_join",
        {"Lanes": lanes, "OutBits": out.bits, **parameters},
        {"a": encode(a, a_type, lanes), "b": encode(b, b_type, lanes)},
        {"m": encode(op.evaluate(a, b), out, lanes)},
        {"a": lanes * a_type.bits, "b": lanes * b_type.bits, "m": lanes * out.bits},
    )


def product(seed, a_type, b_type, zeros, lanes) -> Case:
    """Words of (a - zero) * (b - zero)."""
    rng, op = np.random.default_rng(seed), Mul(zeros)
    a, b = (values(rng, t, (80, lanes)) for t in (a_type, b_type))
    a[:2], b[:2] = [[a_type.min], [a_type.max]], [[b_type.max], [b_type.min]]
    out = op.infer(*(TensorType((lanes,), t) for t in (a_type, b_type))).dtype
    return Case(
        "stream_multiply",
        StreamMultiply.of((a_type, b_type), zeros, out, lanes).parameters(),
        {"a": encode(a, a_type, lanes), "b": encode(b, b_type, lanes)},
        {"m": encode(op.evaluate(a, b), out, lanes)},
        {"a": lanes * a_type.bits, "b": lanes * b_type.bits, "m": lanes * out.bits},
    )


def argmax(seed, dtype, channels, lanes) -> Case:
    rng = np.random.default_rng(seed)
    x = values(rng, dtype, (60, channels))
    x[::3] = dtype.min  # ties
    x[1::3, channels // 2 :] = dtype.max
    out = ArgMax().infer(TensorType((channels,), dtype)).dtype
    fill = dtype.max if dtype.bits > 1 else 1  # lanes behind the last channel must not win
    padded = np.pad(x, ((0, 0), (0, -channels % lanes)), constant_values=fill)
    return Case(
        "argmax",
        {"Lanes": lanes, "InBits": dtype.bits, "InSigned": dtype.signed, "Channels": channels, "OutBits": out.bits},
        {"s": encode(padded, dtype, lanes)},
        {"m": encode(ArgMax().evaluate(x), out, 1)},
        {"s": lanes * dtype.bits, "m": out.bits},
    )


def bias(seed, dtype, out, channels, lanes) -> Case:
    rng = np.random.default_rng(seed)
    t = TensorType((channels,), dtype)
    b = rng.integers(out.min - dtype.min, out.max - dtype.max + 1, channels)
    x = values(rng, dtype, (40, channels))
    module = ChannelAdd.of(b, t, out, lanes)
    words = {"s": lanes * dtype.bits, "m": lanes * out.bits}
    parameters = module.parameters(f"bias_{seed}")
    return Case("channel_add", parameters, {"s": encode(x, dtype, lanes)}, {"m": encode(x + b, out, lanes)}, words,
                files=module.files(f"bias_{seed}"))  # fmt: skip


OTHERS = [
    lookup(60, UINT4, INT8, 6, 3),
    lookup(61, INT8, UINT4, 4, 2, rows=1),
    lookup(62, IntType(1), UINT8, 4, 4),
    lookup(63, BIPOLAR, IntType(3, True), 4, 1),
    lookup(64, IntType(6, True), BIPOLAR, 2, 2),
    lookup(65, INT8, IntType(16, True), 6, 2),
    pool(MaxPool((2, 2), (2, 2)), 70, UINT4, 3, 0),
    pool(MaxPool((3, 2), (3, 2)), 71, INT8, 2, 0),
    pool(SumPool((2, 2), (2, 2)), 72, INT8, 2, 1),
    pool(SumPool((3, 3), (3, 3)), 73, UINT4, 1, 1),
    pool(SumPool((1, 1)), 74, UINT4, 2, 1),
    argmax(90, INT8, 10, 1),
    argmax(91, INT8, 10, 4),
    argmax(92, UINT4, 7, 7),
    argmax(93, IntType(16, True), 12, 3),
    argmax(94, UINT8, 2, 2),
    argmax(95, INT8, 1, 1),
    argmax(96, INT8, 5, 8),
    bias(100, INT8, IntType(9, True), 6, 3),
    bias(101, UINT8, IntType(16, True), 4, 1),
    bias(102, IntType(12, True), IntType(14, True), 2, 2),
]
TWO_STREAMS = ("stream_join", "stream_multiply")
JOINS = [
    join(80, Add(), INT8, INT8, 2, (2, 2)),
    join(81, Add(), UINT8, INT8, 3, (3, 3)),
    join(82, Add(), UINT4, IntType(6), 1, (1, 1)),
    join(83, Add(), IntType(1, True), UINT8, 4, (4, 4)),
    join(84, Concat(), INT8, INT8, 2, (2, 6)),
    join(85, Concat(), UINT4, IntType(6, True), 1, (3, 1)),
    join(86, Concat(), IntType(2), IntType(1), 2, (4, 4)),
]

PRODUCTS = [
    product(110, INT8, INT8, (0, 0), 2),
    product(111, UINT8, INT8, (0, 0), 3),
    product(112, UINT8, UINT8, (128, 0), 1),
    product(113, UINT4, IntType(1), (0, -9), 2),
    product(114, IntType(2, True), IntType(1, True), (1, 0), 4),
    product(115, IntType(16, True), IntType(14), (-700, 3), 1),
    product(116, INT8, UINT8, (-128, 255), 2),
]

SETS = {
    "tables": THRESHOLDS,
    "requantize": REQUANTIZERS,
    "requantize_lut": REQUANTIZERS_LUT,
    "others": OTHERS,
    "joins": JOINS,
    "products": PRODUCTS,
}


@pytest.fixture(scope="module", params=SETS)
def bank(request, build_bank):
    return build_bank(SETS[request.param])


def test_results_under_stalls(bank):
    for stalls in (HEAVY, LIGHT, STARVED):
        bank.run(stalls)


def stages(case: Case) -> int:
    """Latency in cycles that the module's header promises."""
    p = case.parameters
    if case.module == "threshold":
        plain = p["Uniform"] and (p["OutBits"] == 1 or (p["Base"].value == 0 and not p["Falling"]))
        depths = [(1 if p["Shared"] else p["Tiles"]) << bit for bit in range(p["CountBits"])]
        blocks = [depth > 64 and depth * (p["InBits"] + p["Wide"]) > 4096 for depth in depths]
        waits = sum(2 if block else depth > 128 for block, depth in zip(blocks, depths, strict=True))
        return 2 * p["CountBits"] + waits + (not plain)
    if case.module == "requantize_lut":
        return 4 + (p["Rows"] + 1) // 2 + (p["BiasBits"] > 0) + (p["Lift"] > 0)
    if case.module == "requantize":
        return 3 + (p["MultBits"] > 0) + (p["BiasBits"] > 0) + (p["Lift"] > 0)
    if case.module == "stream_join":
        return 0 if p.get("AWords") else 1
    if case.module == "stream_multiply":
        return 2 + (p["AWide"] > 18) + (p["BWide"] > 18)
    return {"argmax": (p["Lanes"] - 1).bit_length() + 2, "channel_add": 2}.get(case.module, 1)


def test_throughput_and_latency(bank):
    run = bank.run()
    for i, case in enumerate(bank.cases):
        if case.parameters.get("AWords"):  # of each pixel the words of one stream, then of the other: a wire
            taken = np.sort(np.concatenate([run.accepted[f"c{i}_a"], run.accepted[f"c{i}_b"]]))
        else:
            taken = run.accepted[f"c{i}_{'a' if case.module in TWO_STREAMS else 's'}"]
        given = run.produced[f"c{i}_m"]
        assert np.all(np.diff(taken) == 1), f"{case} pauses"
        ratio = len(taken) // len(given)
        assert np.all(given - taken[ratio - 1 :: ratio] == stages(case)), case


def test_illegal_tables_are_refused():
    t = TensorType((6,), INT8)
    with pytest.raises(ValueError, match="4 lanes do not divide 6 channels"):
        LookupModule.of(Lookup(INT8, np.zeros((1, 256))), t, 4)
    with pytest.raises(ModelError, match=r"steps are \+1 or -1"):
        ThresholdModule.of(Threshold([[1]], UINT4, 0, 2), t, 2)
    with pytest.raises(ModelError, match="zero points"):
        RequantizeModule.of(Requantize(INT8, zero_point=1 << 31), t, 2)
