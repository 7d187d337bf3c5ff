# SPDX-License-Identifier: Apache-2.0
"""The integer network: types, operations, graph, evaluators, passes and storage."""

from bitwright.network.graph import INPUT, Network, Node, evaluate
from bitwright.network.inputs import InputSpec, OutputSpec
from bitwright.network.types import BIPOLAR, IntType, TensorType

__all__ = [
    "BIPOLAR",
    "INPUT",
    "InputSpec",
    "IntType",
    "Network",
    "Node",
    "OutputSpec",
    "TensorType",
    "evaluate",
]
