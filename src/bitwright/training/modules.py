# SPDX-License-Identifier: Apache-2.0
"""PyTorch modules as float graphs."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import onnx

from bitwright.errors import DataError, ModelError
from bitwright.models.graph import FloatGraph
from bitwright.models.onnx.reader import read_model
from bitwright.training import need_torch

OPSET = 17


def graph_of(module: Any, x: np.ndarray, output: str | None = None) -> FloatGraph:
    """The float graph of a `torch.nn.Module` in evaluation mode; x: samples [N, ...], of which one gives the shape.

    The module is left as it is, its mode too. Raises `ModelError` where PyTorch cannot export it, `DataError` for x
    that is no array of samples, `ToolError` without PyTorch.
    """
    need_torch()
    import torch

    samples = np.asarray(x)
    if samples.ndim < 2 or not len(samples):
        raise DataError(f"calibration data have shape {samples.shape}; legal is (N, ...), N >= 1")
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"the model is a {type(module).__name__}; legal are ONNX files, float graphs, torch modules")
    mode, file = module.training, io.BytesIO()
    parameter = next(module.parameters(), None)
    one = torch.from_numpy(np.ascontiguousarray(samples[:1], np.float32))
    one = one if parameter is None else one.to(parameter.device)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, about itself
            torch.onnx.export(module.eval(), (one,), file, dynamo=False, opset_version=OPSET)
    except Exception as error:  # whatever the module or the exporter raises
        first = str(error).strip().partition(chr(10))[0]
        raise ModelError(f"{type(module).__name__} cannot be exported to ONNX: {first}") from error
    finally:
        module.train(mode)
    model = onnx.load_from_string(file.getvalue())
    return read_model(model, name=type(module).__name__.lower(), output=output)
