# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that make, leave out or spread pixels: pads, enlargements, transposed convolutions, blocks."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from bitwright import limits
from bitwright.errors import ModelError
from bitwright.models.graph import Quantizer, ops
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.layers import WINDOW, finite, moved, pads_of, pair
from bitwright.models.onnx.shapes import move
from bitwright.models.onnx.surface import Reader, Readers, reads
from bitwright.models.onnx.tensors import Tensor
from bitwright.models.problems import OrderError
from bitwright.network.types import Array

SPATIAL = {"CHW": (2, 3), "HWC": (1, 2)}
MOST_PARTS = 256  # of the way from pixel to pixel


def _pad(context: Context, node: NodeView) -> Tensor:
    tensor = context.ordered(node.tensor())
    mode = node.attribute("mode", "constant")
    if mode not in ("constant", "edge", "reflect", "wrap"):
        raise ModelError(f"pads with mode {mode!r}; legal are constant, edge, reflect and wrap")
    pads = node.integers(1, "pads", "pads")
    value = node.array(2, "pad value").item() if node.has(2) else float(node.attribute("value", 0.0))
    rank = len(tensor.shape)
    axes = node.integers(3, "", "axes")
    axes = list(range(rank)) if axes is None else axes
    if pads is None or len(pads) != 2 * len(axes):
        raise ModelError(f"has pads {pads}; legal are two numbers for every axis")
    full = {a % rank: (pads[i], pads[i + len(axes)]) for i, a in enumerate(axes)}
    if not any(pads):
        return tensor
    rows, columns = SPATIAL.get(tensor.layout, (-1, -1))
    channels = full.get(tensor.channel_axis, (0, 0)) if rows >= 0 else (0, 0)
    if any(channels) and mode == "constant" and min(pads) >= 0:
        tensor = _more_channels(context, node, tensor, *channels, value)
        full[tensor.channel_axis] = (0, 0)
        if not any(any(p) for p in full.values()):
            return tensor
    if any(any(p) for a, p in full.items() if a not in (rows, columns)):
        raise OrderError(f"has pads {pads}; legal are pads along the height and width of an image")
    (top, bottom), (left, right) = full.get(rows, (0, 0)), full.get(columns, (0, 0))
    name = node.output
    made = tensor.value
    if mode != "constant" or min(pads) < 0:
        kept = full if mode != "constant" else {a: (min(p[0], 0), min(p[1], 0)) for a, p in full.items()}
        places = [_padded(tensor.shape[a], *kept.get(a, (0, 0)), mode) for a in (rows, columns)]
        made = context.emit(ops.Pixels(*places), [made], name if mode != "constant" else f"{name}/part")
    if mode == "constant" and max(pads) > 0:
        whole = (max(top, 0), max(left, 0), max(bottom, 0), max(right, 0))
        made = context.emit(ops.Pad(whole, value), [made], name)
    return context.fresh(made, tensor.layout)


def _more_channels(context: Context, node: NodeView, tensor: Tensor, before: int, after: int, value: float) -> Tensor:
    """Channels of one number in front of and behind those of an image."""
    pixels = math.prod(tensor.shape) // tensor.shape[tensor.channel_axis]
    limits.check_shape((pixels, before + after), "padding of channels has")
    made = tensor.value
    for count, first in ((before, True), (after, False)):
        if count:
            same = context.emit(ops.Channels((0,) * count), [tensor.value], f"{node.output}/first")
            number = ops.Affine(np.zeros(count), np.full(count, value))
            constant = context.emit(number, [same], f"{node.output}/number")
            both = [constant, made] if first else [made, constant]
            made = context.emit(ops.Concat(), both, node.output)
    return context.fresh(made, tensor.layout)


def _padded(size: int, before: int, after: int, mode: str) -> tuple[int, ...]:
    """The row or column of which each one of a padded image is a copy; negative pads cut first."""
    first, size = max(-before, 0), size + min(before, 0) + min(after, 0)
    before, after = max(before, 0), max(after, 0)
    if size < 1 or (max(before, after) > size - (mode == "reflect") and max(before, after) > 0 and mode != "edge"):
        raise ModelError(f"pads {size} rows or columns with {before} and {after} by mode {mode!r}")
    at = np.arange(-before, size + after)
    if mode == "reflect":
        at = np.where(at >= size, 2 * (size - 1) - at, np.abs(at))
    at = at % size if mode == "wrap" else np.clip(at, 0, size - 1)
    return tuple((first + at).tolist())


def _expand(context: Context, node: NodeView) -> Tensor:
    """What keeps every element is a move; rows or columns of an image that has one are repeated by a Resize."""
    tensor = node.tensor()
    target = np.broadcast_shapes(tensor.shape, tuple(int(n) for n in node.stored(1, "shape").array))
    repeats = [b // a for a, b in zip(tensor.shape, target, strict=False)]
    if len(target) != len(tensor.shape) or all(r == 1 for r in repeats):
        return move(context, node)
    tensor = context.plain(tensor)
    if tensor.layout != "CHW" and tensor.shape[2:] == (1, 1) and math.prod(tensor.value_shape) == tensor.shape[1]:
        tensor = context.fresh(context.pixel(context.vector(tensor)), "CHW")
    rows, columns = SPATIAL.get(tensor.layout, (-1, -1))
    if rows < 0 or any(r != 1 for i, r in enumerate(repeats) if i not in (rows, columns)):
        raise OrderError(f"repeats {list(tensor.shape)} to {list(target)}; legal is along height and width of an image")
    factor = (repeats[rows], repeats[columns])
    return context.fresh(context.emit(ops.Resize(factor), [tensor.value], node.output), tensor.layout)


def _resize(context: Context, node: NodeView) -> Tensor:
    given = node.tensor()
    tensor = context.ordered(given)
    if tensor.layout not in SPATIAL:
        raise OrderError("resizes what is no image")
    mode = node.attribute("mode", "nearest")
    if mode not in ("nearest", "linear", "bilinear"):
        raise ModelError(f"resizes with mode {mode!r}; legal are nearest and linear")
    scales, sizes = _scales(node, tensor)
    axes = SPATIAL[tensor.layout]
    if any(not math.isfinite(s) or s <= 0 for s in scales):
        raise ModelError(f"resizes by {scales}; legal are finite numbers above 0")
    if any(s != 1 for i, s in enumerate(scales) if i not in axes):
        raise OrderError(f"resizes by {scales}; legal is along height and width")
    limits.check_shape(sizes, "its value has")
    read = _linear if mode != "nearest" else _nearest
    value = read(context, node, tensor, [scales[a] for a in axes], [sizes[a] for a in axes])
    if mode != "nearest" and given.codes is not None:
        value = _whole(context, given, value, node.output)
    return context.fresh(value, tensor.layout)


def _whole(context: Context, codes: Tensor, value: str, name: str) -> str:
    """What lies between codes as integers of their type, rounded half to even as ONNX's own evaluator does."""
    made = context.by_name[codes.value].op
    assert isinstance(made, ops.Quant)
    q = made.quantizer
    return context.quantize(value, f"{name}/rounded", Quantizer(q.dtype, np.ones(1), low=q.low, high=q.high))


def _scales(node: NodeView, tensor: Tensor) -> tuple[list[float], list[int]]:
    """Scale and size of every axis."""
    rank = len(tensor.shape)
    axes = [a % rank for a in node.attribute("axes", range(rank))]
    if node.op != "Upsample" and node.has(3):
        found = [int(n) for n in node.array(3, "sizes").ravel()]
        full = dict(zip(axes, found, strict=True))
        sizes = [full.get(i, n) for i, n in enumerate(tensor.shape)]
        return [out / n for out, n in zip(sizes, tensor.shape, strict=True)], sizes
    place = 1 if node.op == "Upsample" or len(node.inputs) == 2 else 2
    given = node.array(place, "scales") if node.has(place) else np.array(node.attribute("scales", []), np.float64)
    by_axis = dict(zip(axes, given.ravel().tolist(), strict=True))
    scales = [by_axis.get(i, 1.0) for i in range(rank)]
    return scales, [math.floor(n * s) if math.isfinite(s) else 0 for n, s in zip(tensor.shape, scales, strict=True)]


COORDINATES = (
    "asymmetric",
    "align_corners",
    "tf_half_pixel_for_nn",
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
)


def _coordinates(node: NodeView) -> str:
    """How places of the result are those of the input; the rule of the first versions is its own."""
    if node.op == "Upsample" or len(node.inputs) == 2:
        return "asymmetric"
    mode = str(node.attribute("coordinate_transformation_mode", "half_pixel"))
    if mode not in COORDINATES:
        raise ModelError(f"has coordinate_transformation_mode {mode!r}; legal are {', '.join(COORDINATES)}")
    return mode


def _nearest(context: Context, node: NodeView, tensor: Tensor, scales: list[float], sizes: list[int]) -> str:
    """Pixels, each of them equally often where the factors are whole."""
    whole = tensor.value_shape[:2]
    places = [_picked(node, *end) for end in zip(scales, whole, sizes, strict=True)]
    factor = tuple(max(1, out // n) for out, n in zip(sizes, whole, strict=True))
    same = zip(places, whole, factor, strict=True)
    if all(np.array_equal(at, np.arange(n * f) // f) for at, n, f in same):
        return context.emit(ops.Resize((factor[0], factor[1])), [tensor.value], node.output)
    rows, columns = (tuple(at.tolist()) for at in places)
    return context.emit(ops.Pixels(rows, columns), [tensor.value], node.output)


def _picked(node: NodeView, scale: float, size: int, out: int) -> Array:
    """The source pixel of each pixel along an axis, as the node's modes say, in float32, which decides ties."""
    index, by, half, mode = np.arange(out, dtype=np.float32), np.float32(scale), np.float32(0.5), _coordinates(node)
    at: Array
    if mode == "asymmetric":
        at = index / by
    elif mode == "align_corners":
        at = index * np.float32(size - 1) / np.float32(max(1, out - 1))
    elif mode == "tf_half_pixel_for_nn":
        at = (index + half) / by
    elif mode == "pytorch_half_pixel" and out == 1:
        at = np.zeros(1)
    else:
        at = _off_center(mode, by, size, out) + (index + half) / by - half
    older = node.op == "Upsample" or len(node.inputs) == 2
    pick = "floor" if older else node.attribute("nearest_mode", "round_prefer_floor")
    whole = {
        "floor": np.floor(at),
        "ceil": np.ceil(at),
        "round_prefer_floor": np.ceil(at - half),
        "round_prefer_ceil": np.floor(at + half),
    }[pick]
    return np.clip(whole, 0, size - 1).astype(np.int64)


def _off_center(mode: str, scale: np.float32, size: int, out: int) -> np.float32:
    """How far half_pixel_symmetric moves pixels, such that what rounding cuts off is missing on both sides alike."""
    if mode != "half_pixel_symmetric":
        return np.float32(0)
    return np.float32(np.float32(size / 2) * (np.float32(1) - np.float32(out) / (scale * np.float32(size))))


def _linear(context: Context, node: NodeView, tensor: Tensor, scales: list[float], sizes: list[int]) -> str:
    """Pixels repeated, their edges spread, and the mean over windows with weights 1, 2, ..., 2, 1 or all 1.

    That is for whole factors; otherwise pixels between others.
    """
    mode, factors, windows, places = _coordinates(node), [], [], []
    ends = list(zip(scales, tensor.value_shape[:2], sizes, strict=True))
    found = [_line(mode, *end) for end in ends]
    if None in found:
        between = ops.Interpolation(*(_between(mode, *end) for end in ends))
        return context.emit(between, [tensor.value], node.output)
    for (factor, window, before, after), (_, size, _) in zip((f for f in found if f), ends, strict=True):
        factors.append(factor)
        windows.append(window)
        places.append(_padded(size * factor, before, after, "edge"))
    value = tensor.value
    steps: list[ops.Op] = [ops.Resize((factors[0], factors[1])), ops.Pixels(*places), ops.Blend(*windows)]
    for k, op in enumerate(steps):
        if k == 2 or not op.is_trivial(context.shapes[value]):
            value = context.emit(op, [value], node.output if k == 2 else f"{node.output}/{k}")
    return value


def _line(mode: str, scale: float, size: int, out: int) -> tuple[int, tuple[int, ...], int, int] | None:
    """Repeats of a pixel, weights of a window, and pads before and after, along an axis; None where none are exact."""
    factor = out // size
    if out == size and scale == 1:
        return 1, (1,), 0, 0
    if size == 1:
        return out, (1,), 0, 0
    if out != size * factor or scale != factor or mode in ("align_corners", "tf_half_pixel_for_nn"):
        return None
    if mode == "asymmetric":
        return factor, (1,) * factor, 0, factor - 1
    if factor % 2:
        return factor, (1,) * factor, factor // 2, factor // 2
    return factor, (1, *(2,) * (factor - 1), 1), factor // 2, factor // 2


def _between(mode: str, scale: float, size: int, out: int) -> ops.Line:
    """Where the pixels along an axis lie between those of the input, in parts of at most `MOST_PARTS`."""
    step = Fraction(size, out) if abs(scale * size - out) < 1e-3 else 1 / Fraction(scale).limit_denominator(1 << 12)
    at = [i * step for i in range(out)]
    if mode == "align_corners":
        at = [Fraction(i * (size - 1), max(1, out - 1)) for i in range(out)]
    elif mode == "pytorch_half_pixel" and out == 1:
        at = [Fraction(0)]
    elif mode != "asymmetric":
        shift = Fraction(0) if mode == "tf_half_pixel_for_nn" else Fraction(1, 2)
        moved = Fraction(size, 2) * (1 - out * step / size) if mode == "half_pixel_symmetric" else 0
        at = [moved + (i + Fraction(1, 2)) * step - shift for i in range(out)]
    at = [min(max(a, Fraction(0)), Fraction(size - 1)) for a in at]
    whole = math.lcm(*(a.denominator for a in at))
    whole = whole if whole <= MOST_PARTS else MOST_PARTS
    places = [math.floor(a) for a in at]
    weights = [round((a - p) * whole) for a, p in zip(at, places, strict=True)]
    return ops.Line(tuple(places), tuple(weights), whole)


def _conv_transpose(context: Context, node: NodeView) -> Tensor:
    """A convolution of the stretched image with the turned weights."""
    tensor = context.plain(node.tensor())
    stored = node.stored(1, "weights")
    if stored.array.ndim != 4:
        raise ModelError(f"is a {stored.array.ndim - 2}-D transposed convolution; legal are 1-D and 2-D ones")
    value, groups = context.image(tensor), int(node.attribute("group", 1))
    bias, kernel = node.optional(2, "bias"), stored.array.shape[2:]
    dilation, stride = pair(node, "dilations", [1, 1]), pair(node, "strides", [1, 1])
    if tuple(node.attribute("kernel_shape", kernel)) != kernel:
        raise ModelError(f"has kernel_shape {list(node.attribute('kernel_shape'))} and weights of {list(kernel)}")
    extra = tuple(node.attribute("output_padding", [0, 0]))
    if (
        len(extra) != 2
        or min(extra) < 0
        or any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True))
    ):
        raise ModelError(f"has output_padding {list(extra)}; legal are two numbers below the strides or dilations")
    pads = _transposed_pads(node, tensor.shape[2:], kernel, stride, dilation, extra)

    def turned(a: Array) -> Array:
        split = a.reshape(groups, -1, *a.shape[1:])[..., ::-1, ::-1].transpose(0, 2, 3, 4, 1)
        return np.ascontiguousarray(split.reshape(-1, *split.shape[2:]))

    op = ops.Conv(
        finite(turned(stored.array), "weights"),
        None if bias is None else finite(bias, "biases"),
        pads=(max(pads[0], 0), max(pads[1], 0), max(pads[2], 0), max(pads[3], 0)),
        dilation=dilation,
        groups=groups,
        quantized=moved(stored.quant, turned),
    )
    if stride != (1, 1):
        value = context.emit(ops.Stretch(stride), [value], f"{node.output}/stretched")
    value = context.emit(op, [value], node.output if min(pads) >= 0 else f"{node.output}/whole")
    if min(pads) < 0:
        h, w, _ = context.shapes[value]
        less = [max(-p, 0) for p in pads]
        rows, columns = range(less[0], h - less[2]), range(less[1], w - less[3])
        value = context.emit(ops.Pixels(tuple(rows), tuple(columns)), [value], node.output)
    return context.fresh(value, "CHW")


def _transposed_pads(
    node: NodeView,
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    extra: tuple[int, ...],
) -> tuple[int, int, int, int]:
    """Pads (top, left, bottom, right) of the convolution of the stretched image; negative where it is cut."""
    span = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    auto, wanted = node.attribute("auto_pad", "NOTSET"), node.attribute("output_shape")
    if auto in ("SAME_UPPER", "SAME_LOWER") or wanted is not None:
        whole = [n * s for n, s in zip(size, stride, strict=True)] if wanted is None else list(wanted)[-2:]
        ends = zip(size, stride, span, extra, whole, strict=True)
        total = [max(0, s * (n - 1) + k + 1 + e - out) for n, s, k, e, out in ends]
        half = [t // 2 if auto == "SAME_UPPER" else t - t // 2 for t in total]
        pads = (*half, *(t - h for t, h in zip(total, half, strict=True)))
    else:
        pads = pads_of(node, (1, 1), (1, 1), (1, 1))
    before = [s - p for s, p in zip(span, pads[:2], strict=True)]
    after = [s - p + e - (n - 1) for s, p, e, n in zip(span, pads[2:], extra, stride, strict=True)]
    return before[0], before[1], after[0], after[1]


def _depth_to_space(context: Context, node: NodeView) -> Tensor:
    factor, mode = int(node.attribute("blocksize", 1)), node.attribute("mode", "DCR")
    value = context.image(node.tensor())
    channels = context.shapes[value][2]
    if mode not in ("DCR", "CRD") or factor < 1 or channels % factor**2:
        raise ModelError(f"has blocksize {factor} and mode {mode!r} for {channels} channels; legal are DCR and CRD")
    if mode == "DCR":
        picked = np.arange(channels).reshape(factor * factor, -1).T.ravel()
        value = context.emit(ops.Channels(tuple(picked.tolist())), [value], f"{node.output}/order")
    return context.fresh(context.emit(ops.DepthToSpace((factor, factor)), [value], node.output), "CHW")


def _space_to_depth(context: Context, node: NodeView) -> Tensor:
    factor, value = int(node.attribute("blocksize", 1)), context.image(node.tensor())
    h, w, _ = context.shapes[value]
    if factor < 1 or h % factor or w % factor:
        raise ModelError(f"has blocksize {factor} for {h} x {w} pixels; legal are sizes that it divides")
    blocks = [(y, x) for y in range(factor) for x in range(factor)]
    return context.fresh(context.phases(value, blocks, (factor, factor), (h, w), node.output), "CHW")


READERS: Readers = {
    **reads(_expand, "Expand", inputs=2),
    **reads(_pad, "Pad", read=("mode", "pads", "value"), inputs=4),
    ("", "Upsample"): Reader(_resize, ("mode", "scales"), inputs=2, per_axis=True),
    ("", "Resize"): Reader(
        _resize,
        ("axes", "coordinate_transformation_mode", "mode", "nearest_mode"),
        {"keep_aspect_ratio_policy": ("stretch",), "antialias": (0,), "exclude_outside": (0,)},
        ("cubic_coeff_a", "extrapolation_value"),  # of other modes
        inputs=4,
        per_axis=True,
    ),
    **reads(_conv_transpose, "ConvTranspose", read=(*WINDOW, "group", "output_padding", "output_shape"), inputs=3),
    **reads(_depth_to_space, "DepthToSpace", read=("blocksize", "mode")),
    ("", "SpaceToDepth"): Reader(_space_to_depth, ("blocksize",), {"mode": ("DCR",)}),
}
