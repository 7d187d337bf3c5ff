"""A target without hardware tools, for tests of what surrounds targets: its files only name the layers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bitwright.hardware.resources import Resources
from bitwright.network import Network
from bitwright.network.ops import Lookup
from bitwright.targets.contract import Design, Estimate, LayerEstimate, Problem, StreamSpec, SynthesisUnit
from bitwright.targets.observation import Observation
from bitwright.text import comment


@dataclass(frozen=True)
class FakeOptions:
    lanes: int = field(default=1, metadata={"doc": "elements a word"})
    delay: float = field(default=0.0, metadata={"doc": "seconds that planning takes"})
    note: str | None = field(default=None, metadata={"doc": "free text"})
    shape: tuple[int, ...] = field(default=(), metadata={"doc": "numbers"})
    layers: Mapping[str, int] = field(default_factory=dict, metadata={"doc": "numbers by name"})
    program: bool = field(default=False, metadata={"doc": "whether there is a program"})
    seed: int = field(default=0, metadata={"doc": "seed"})


@dataclass(frozen=True)
class FakePlan:
    network: Network
    options: FakeOptions
    estimate: Estimate


class FakeTarget:
    name = "fake"
    summary = "no hardware at all"
    options = FakeOptions

    def check(self, network: Network, options: FakeOptions) -> list[Problem]:
        refused = [n for n in network.nodes if isinstance(n.op, Lookup)]
        return [Problem(n.name, "Lookup is not supported", "Threshold or Requantize") for n in refused]

    def plan(self, network: Network, options: FakeOptions) -> FakePlan:
        time.sleep(options.delay)
        layers = tuple(
            LayerEstimate(n.name, type(n.op).__name__, Resources(lut=10 + i, ff=5), 100 + i, (n.name,), {"position": i})
            for i, n in enumerate(network.nodes)
        )
        return FakePlan(network, options, Estimate(layers, 110, 250, overlap=True))

    def attempt(self, network: Network, options: FakeOptions) -> FakePlan:
        return self.plan(network, options)

    def folded(self, design: Design) -> Mapping:
        return design.options

    def paced(self, network: Network, given: Mapping, interval: int, limits: Mapping) -> Mapping:
        return given

    def observe(self, plan: FakePlan) -> Observation:
        return Observation(plan.network, (), (), lambda records, frames: {})

    def emit(self, plan: FakePlan) -> Design:
        network, options = plan.network, plan.options
        files = {f"layer_{i}.sv": f"// {comment(n.name)}\n" for i, n in enumerate(network.nodes)}
        files |= {"top.sv": "module top; endmodule\n", "rtl/table.mem": "0f\n"}
        return Design(
            target=self.name,
            network=network,
            top="top",
            files=files,
            input=StreamSpec(network.input.type, options.lanes),
            output=StreamSpec(network.output_type, 1, bus_bits=64),
            units=tuple(SynthesisUnit(layer.name, "top", row=i) for i, layer in enumerate(plan.estimate.layers)),
            estimate=plan.estimate,
            options={"lanes": options.lanes, "shape": options.shape},
            program=np.arange(6, dtype=np.uint32).reshape(3, 2) if options.program else None,
            counters={"cycles": 16} if options.program else None,
            parameters={"lanes": np.int64(options.lanes)},
        )


TARGET = FakeTarget()
