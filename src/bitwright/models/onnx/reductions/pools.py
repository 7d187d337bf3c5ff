# SPDX-License-Identifier: Apache-2.0
"""Pools: sums and maxima of windows."""

from __future__ import annotations

from bitwright.errors import ModelError
from bitwright.models.graph import ops
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.layers import WINDOW, Pads, pads_of, pair
from bitwright.models.onnx.surface import Reader, Readers, reads
from bitwright.models.onnx.tensors import Tensor


def _pool(context: Context, node: NodeView) -> Tensor:
    tensor = context.plain(node.tensor())
    value = context.image(tensor)
    kernel, stride = pair(node, "kernel_shape", []), pair(node, "strides", [1, 1])
    dilation = pair(node, "dilations", [1, 1])
    span = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    if len(node.proto.output) > 1 and node.proto.output[1]:
        raise ModelError("yields the indices of the maxima; legal is the maxima alone")
    pads = pads_of(node, tensor.shape[2:], span, stride)
    if any(pad >= size for pad, size in zip(pads, span * 2, strict=True)):
        raise ModelError(
            f"has pads {list(pads)} around a window of {list(span)}; legal are pads smaller than the window"
        )
    wider = _ceil_pads(tensor.shape[2:], span, stride, pads) if node.attribute("ceil_mode", 0) else pads
    op: ops.Pool = ops.MaxPool(kernel, stride=stride, pads=wider, dilation=dilation)
    if node.op == "AveragePool":
        counted = bool(node.attribute("count_include_pad", 0))
        if counted and wider != pads:  # what ceil_mode adds behind the pads does not count
            value = context.emit(ops.Pad(pads), [value], f"{node.output}/padded")
            counted, wider = False, (0, 0, wider[2] - pads[2], wider[3] - pads[3])
        op = ops.AveragePool(kernel, counted or not any(wider), stride=stride, pads=wider, dilation=dilation)
    return context.fresh(context.emit(op, [value], node.output), "CHW")


def _ceil_pads(size: tuple[int, ...], span: tuple[int, ...], stride: tuple[int, ...], pads: Pads) -> Pads:
    """Pads with which rounding down gives the size that ceil_mode gives: no window may start in the padding behind."""
    after = list(pads[2:])
    for i in (0, 1):
        count = -(-(size[i] + pads[i] + pads[i + 2] - span[i]) // stride[i]) + 1
        if (count - 1) * stride[i] >= size[i] + pads[i]:
            count -= 1
        after[i] = max(after[i], (count - 1) * stride[i] + span[i] - size[i] - pads[i])
    return pads[0], pads[1], after[0], after[1]


def _global_pool(context: Context, node: NodeView) -> Tensor:
    value = context.image(node.tensor())
    return context.fresh(whole(context, value, node.output, (True, True), node.op == "GlobalMaxPool"), "CHW")


def whole(context: Context, value: str, name: str, axes: tuple[bool, bool], maximum: bool) -> str:
    """Average or maximum over whole axes (height, width) of an image."""
    h, w, _ = context.shapes[value]
    kernel = (h if axes[0] else 1, w if axes[1] else 1)
    pool = ops.MaxPool if maximum else ops.AveragePool
    return context.emit(pool(kernel, stride=kernel), [value], name)


READERS: Readers = {
    ("", "MaxPool"): Reader(_pool, (*WINDOW, "ceil_mode"), free=("storage_order",)),  # an order of the indices
    **reads(_pool, "AveragePool", read=(*WINDOW, "ceil_mode", "count_include_pad")),
    **reads(_global_pool, "GlobalAveragePool", "GlobalMaxPool"),
}
