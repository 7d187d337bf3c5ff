# SPDX-License-Identifier: Apache-2.0
"""Quantizers in ONNX models: QONNX (Quant, BipolarQuant, Trunc) and the standard QuantizeLinear, DequantizeLinear.

QONNX: y = (round(clamp(x / s + z, low, high)) - z) * s. ROUND and HALF_EVEN round half to even, HALF_UP
half away from zero, HALF_DOWN half toward zero, UP away from zero, DOWN and ROUND_TO_ZERO toward zero.
Standard: code = saturate(round_half_even(x / s) + z), the zero point added after rounding.
"""

from __future__ import annotations

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.exact.quantizer import Quantizer
from bitwright.models.exact.rounding import ExtraRounding, round_array
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.elementwise import affine, per_channel
from bitwright.models.onnx.file import QUANT_DOMAIN
from bitwright.models.onnx.shapes import dequantized, evaluate
from bitwright.models.onnx.surface import Reader, Readers
from bitwright.models.onnx.tensors import Codes, Constant, ConstantQuant, Tensor
from bitwright.network.ops import Rounding
from bitwright.network.types import BIPOLAR, MAX_BITS, IntType

ROUNDINGS: dict[str, Rounding | ExtraRounding] = {
    "ROUND": Rounding.HALF_EVEN,
    "HALF_EVEN": Rounding.HALF_EVEN,
    "HALF_UP": Rounding.HALF_AWAY,
    "HALF_DOWN": ExtraRounding.HALF_ZERO,
    "FLOOR": Rounding.FLOOR,
    "CEIL": ExtraRounding.CEIL,
    "UP": ExtraRounding.AWAY,
    "DOWN": ExtraRounding.ZERO,
    "ROUND_TO_ZERO": ExtraRounding.ZERO,
}
CODE_TYPES = {
    "uint8": IntType(8),
    "int8": IntType(8, signed=True),
    "uint16": IntType(16),
    "int16": IntType(16, signed=True),
    "uint4": IntType(4),
    "int4": IntType(4, signed=True),
    "uint2": IntType(2),
    "int2": IntType(2, signed=True),
}
ONNX_CODES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 21: "uint4", 22: "int4", 25: "uint2", 26: "int2"}


def _bits(array: np.ndarray, what: str) -> int:
    values = np.unique(array)
    if values.size != 1 or values[0] != round(float(values[0])) or not 1 <= values[0] <= MAX_BITS:
        shown = ", ".join(f"{v:g}" for v in values[:4])
        raise ModelError(f"has the {what} {shown}; legal is one whole number from 1 to {MAX_BITS}")
    return int(values[0])


def _rounding(node: NodeView, default: str) -> Rounding | ExtraRounding:
    name = str(node.attribute("rounding_mode", default)).upper()
    if name not in ROUNDINGS:
        raise ModelError(f"has rounding mode {name!r}; legal are {', '.join(ROUNDINGS)}")
    return ROUNDINGS[name]


def _limits(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """Lowest and highest code: narrow takes off the lowest signed, the highest unsigned code."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def _positive(scale: np.ndarray) -> np.ndarray:
    if not np.all(np.isfinite(scale) & (scale > 0)):
        raise ModelError("has a scale that is not positive and finite")
    return scale


def _quant(context: Context, node: NodeView) -> Tensor | Constant:
    scale = _positive(node.stored(1, "scale").array)
    zero = node.stored(2, "zero point").array
    bits = _bits(node.array(3, "bit width"), "bit width")
    signed, narrow = bool(node.attribute("signed", 1)), bool(node.attribute("narrow", 0))
    if bits == 1 and signed:
        return _bipolar(context, node, scale, zero)
    low, high = _limits(bits, signed, narrow)
    rounding = _rounding(node, "ROUND")
    given = node.inputs[0]
    if isinstance(given, Constant):
        codes = round_array(np.clip(given.array / scale + zero, low, high), rounding)
        dtype = IntType.holding(min(0, int(codes.min() - np.max(zero))), int(codes.max() - np.min(zero)))
        dtype = IntType(bits, signed) if not np.any(zero) else dtype
        return _constant(codes.astype(np.float64) - zero, scale, dtype)
    tensor, scales = per_channel(context, node.tensor(), scale)
    tensor, zeros = per_channel(context, tensor, zero)
    if scales.size == 1:
        tensor, scales = per_channel(context, tensor, scale)
    whole = bool(np.all(zeros == np.rint(zeros)))
    shift = np.zeros(1) if whole else zeros * scales  # a fractional zero point is a shift of the values
    quantizer = Quantizer(IntType(bits, signed), scales, zeros if whole else np.zeros(1), low, high, rounding)
    return _emit(context, node, tensor, quantizer, shift)


def _constant(whole: np.ndarray, scale: np.ndarray, dtype: IntType) -> Constant:
    """The constant whole * scale, known as integers where they are."""
    full = np.broadcast_to(np.asarray(scale, np.float64), whole.shape)
    if not np.all(whole == np.rint(whole)):
        return Constant((whole * full).astype(np.float32))
    return Constant(whole * full, ConstantQuant(whole.astype(np.int64), full, dtype))


def _emit(context: Context, node: NodeView, tensor: Tensor, quantizer: Quantizer, shift: np.ndarray) -> Tensor:
    """The quantizer of the tensor + shift, less shift."""
    name = node.output
    tensor = affine(context, tensor, f"{name}/shifted", np.ones(1), shift)
    if np.any(shift):
        tensor = tensor.on(context.quantize(tensor.value, f"{name}/quantized", quantizer))
        return affine(context, tensor, name, np.ones(1), -shift)
    return tensor.on(context.quantize(tensor.value, name, quantizer))


def _bipolar(context: Context, node: NodeView, scale: np.ndarray, zero: np.ndarray) -> Tensor | Constant:
    """x / s + z >= 0 is +1, all else -1."""
    given = node.inputs[0]
    if isinstance(given, Constant):
        sign = np.where(given.array / scale + zero >= 0, 1.0, -1.0)
        dtype = BIPOLAR if not np.any(zero) else IntType.holding(-1 - int(np.max(zero)), 1 - int(np.min(zero)))
        return _constant(sign - zero, scale, dtype)
    tensor, scales = per_channel(context, node.tensor(), scale)
    tensor, zeros = per_channel(context, tensor, zero)
    return _emit(context, node, tensor, Quantizer(BIPOLAR, scales), zeros * scales)


def _bipolar_quant(context: Context, node: NodeView) -> Tensor | Constant:
    scale = _positive(node.stored(1, "scale").array)
    return _bipolar(context, node, scale, np.zeros((), np.float32))


def _trunc(context: Context, node: NodeView) -> Tensor:
    """Version 1 (five inputs): y = (round(round(x / s + z) / 2**k) - z) * s, k = bits taken off.

    Version 2 (six inputs): 2**k = s_out / s, codes clamped to the output bits, y = (codes - z / 2**k) * s_out.
    """
    tensor, scale = per_channel(context, node.tensor(), _positive(node.array(1, "scale")))
    tensor, zero = per_channel(context, tensor, node.array(2, "zero point"))
    bits_in = _bits(node.array(3, "input bit width"), "input bit width")
    rounding, name = _rounding(node, "FLOOR"), node.output
    if len(node.inputs) > 5:
        tensor, scale_out = per_channel(context, tensor, _positive(node.array(4, "output scale")))
        bits = _bits(node.array(5, "output bit width"), "output bit width")
        signed, narrow = bool(node.attribute("signed", 1)), bool(node.attribute("narrow", 0))
        dtype, (low, high) = IntType(bits, signed), _limits(bits, signed, narrow)
        factor = 2.0 ** np.round(np.log2(scale_out / scale))
        offset = zero / factor * scale_out
    else:
        bits = _bits(node.array(4, "output bit width"), "output bit width")
        dtype = IntType(bits + 1, signed=True)
        low, high = dtype.min, dtype.max
        factor = np.full(1, 2.0 ** (bits_in - bits))
        scale_out, offset = scale, zero * scale
    grid = Quantizer(IntType(min(bits_in + 1, MAX_BITS), signed=True), scale)
    tensor = affine(context, tensor, f"{name}/shifted", np.ones(1), zero * scale)
    tensor = tensor.on(context.quantize(tensor.value, f"{name}/grid", grid))
    cut = Quantizer(dtype, scale * factor, low=low, high=high, rounding=rounding)
    plain = bool(np.all(scale_out == scale * factor)) and not np.any(offset)
    tensor = tensor.on(context.quantize(tensor.value, name if plain else f"{name}/cut", cut))
    return affine(context, tensor, name, scale_out / (scale * factor), -offset)


def _axis_constant(node: NodeView, array: np.ndarray, tensor: Tensor) -> np.ndarray:
    """A constant per channel, as it broadcasts over the tensor."""
    if array.size == 1:
        return array.reshape(())
    axis = node.attribute("axis", 1) % len(tensor.shape)
    if array.ndim != 1 or array.size != tensor.shape[axis]:
        raise ModelError(f"has {array.shape} scales; legal are one, or one for each of {tensor.shape[axis]} channels")
    return array.reshape((-1,) + (1,) * (len(tensor.shape) - axis - 1))


def _quantize_linear(context: Context, node: NodeView) -> Tensor | Constant:
    if isinstance(node.inputs[0], Constant):
        arrays = [node.stored(i, "inputs").array if node.has(i) else None for i in range(len(node.inputs))]
        return Constant(evaluate(context, node, arrays)[0])
    zero_point = node.stored(2, "zero point").array if node.has(2) else np.zeros((), np.uint8)
    said = ONNX_CODES.get(node.attribute("output_dtype", 0) or 2, "other")
    kind = zero_point.dtype.name if node.has(2) else said
    if node.attribute("output_dtype", 0) and said != kind:
        raise ModelError(f"has output_dtype {said} and a zero point of {kind}; legal is one type for both")
    if kind not in CODE_TYPES:
        raise ModelError(f"quantizes to {kind}; legal are {', '.join(CODE_TYPES)}")
    tensor = context.plain(node.tensor())
    scale = _axis_constant(node, _positive(node.array(1, "scale")), tensor)
    tensor, scales = per_channel(context, tensor, scale)
    tensor, zeros = per_channel(context, tensor, _axis_constant(node, zero_point.astype(np.float64), tensor))
    quantizer = _half_even_before_zero(CODE_TYPES[kind], scales, zeros)
    value = context.quantize(tensor.value, node.output, quantizer)
    return Tensor(value, tensor.value_shape, tensor.shape, tensor.layout, tensor.custom, Codes(scales, zeros))


def _half_even_before_zero(dtype: IntType, scale: np.ndarray, zero: np.ndarray) -> Quantizer:
    """The quantizer whose ties go where they go when the zero point is added after rounding.

    With an even zero point it is half-even, with an odd one half-odd.
    """
    if np.all(zero % 2 == 0):
        return Quantizer(dtype, scale, zero, zero_after=True)
    if np.all(zero % 2 == 1):
        return Quantizer(dtype, scale, zero, rounding=ExtraRounding.HALF_ODD, zero_after=True)
    raise ModelError("has even and odd zero points in one tensor; legal are all even or all odd")


def _dequantize_linear(context: Context, node: NodeView) -> Tensor | Constant:
    given = node.inputs[0]
    scale = node.array(1, "scale")
    zero = node.array(2, "zero point") if node.has(2) else np.zeros(1)
    if isinstance(given, Constant):
        return _dequantized(node, given, scale, zero)
    tensor = node.tensor()
    plain = Tensor(tensor.value, tensor.value_shape, tensor.shape, tensor.layout, tensor.custom)
    held, scales = per_channel(context, plain, _axis_constant(node, scale, tensor))
    held, zeros = per_channel(context, held, _axis_constant(node, zero, tensor))
    if tensor.codes is None:  # the model's own integer input
        return affine(context, held, node.output, scales, -zeros * scales)
    shift = (tensor.codes.zero - zeros) * scales
    return affine(context, held, node.output, scales / tensor.codes.scale, shift)


def _dequantized(node: NodeView, given: Constant, scale: np.ndarray, zero: np.ndarray) -> Constant:
    """Constant codes as numbers; a Clip in front of them has narrowed their type."""
    codes = given.array
    axis = node.attribute("axis", 1)
    if scale.size > 1 and (codes.ndim == 0 or scale.size != codes.shape[axis % codes.ndim]):
        raise ModelError(f"has {scale.size} scales; legal are one, or one for every entry of axis {axis}")
    made = dequantized(codes, scale.ravel(), zero.ravel(), axis)
    dtype = given.quant.dtype if given.quant is not None else CODE_TYPES.get(codes.dtype.name)
    if np.any(zero) or made.quant is None or dtype is None:
        return made
    return Constant(made.array, ConstantQuant(made.quant.codes, made.quant.scale, dtype))


QUANT = Reader(_quant, ("narrow", "rounding_mode", "signed"), inputs=4)
QUANTIZE = Reader(
    _quantize_linear, ("axis", "output_dtype"), {"block_size": (0,), "precision": (0, 1)}, ("saturate",), inputs=3
)
DEQUANTIZE = Reader(_dequantize_linear, ("axis",), {"block_size": (0,), "output_dtype": (0, 1)}, inputs=3)
READERS: Readers = {
    (QUANT_DOMAIN, "Quant"): QUANT,
    (QUANT_DOMAIN, "IntQuant"): QUANT,
    (QUANT_DOMAIN, "BipolarQuant"): Reader(_bipolar_quant, inputs=2),
    (QUANT_DOMAIN, "Trunc"): Reader(_trunc, ("narrow", "rounding_mode", "signed"), inputs=6),
    **{(domain, "QuantizeLinear"): QUANTIZE for domain in ("", "com.microsoft")},
    **{(domain, "DequantizeLinear"): DEQUANTIZE for domain in ("", "com.microsoft")},
}
