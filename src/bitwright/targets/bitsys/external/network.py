# SPDX-License-Identifier: Apache-2.0
"""A staged network for hardware with external memory: its plan or why there is none, its layers, the memory's port."""

from __future__ import annotations

from collections.abc import Sequence

from bitwright.hardware.memory_port import PAGE, MemoryPort
from bitwright.network.stages import Stage, Staged
from bitwright.targets.bitsys.check import layer_fits
from bitwright.targets.bitsys.external import parts as channel_parts
from bitwright.targets.bitsys.external import planner
from bitwright.targets.bitsys.external.planner import NoRoom, Planned
from bitwright.targets.bitsys.external.program import Image, runs
from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.bitsys.program import Program, Usage
from bitwright.targets.bitsys.registers import address, control_registers
from bitwright.targets.bitsys.storage import Layout
from bitwright.targets.contract import Problem
from bitwright.tools.model import to_words


def lower(staged: Staged[Stage], places: Layout, hardware: Hardware, whole: bool) -> Planned | list[Problem]:
    """The plan of a network whose maps lie as `places` says where they fit on chip as a `whole`; or the problems."""
    found = [] if whole else [*_streams(places, hardware), *_results(staged, hardware)]
    if found:
        return found
    try:
        planned = planner.plan(staged, places, hardware, whole)
    except NoRoom as error:
        rule = "the least that it computes at a time finds no room on chip"
        name = error.stage.name if error.stage.first else error.stage.inputs[0]
        return [Problem(name, rule, f"more than {hardware.act_words} act_words")]
    found = [problem for piece in planned.pieces for problem in _piece(piece, hardware)]
    seen = set[str]()
    for run in runs(planned):
        if run.layer.name not in seen:
            seen.add(run.layer.name)
            found += layer_fits(run.layer, hardware)
    return found or planned


def _streams(places: Layout, hardware: Hardware) -> list[Problem]:
    """What cannot come in or leave in parts."""
    found = []
    legal = f"in hardware {hardware.name}"
    if places.batch > 1:
        rule = f"activations of a batch need {places.words} 64-bit words"
        found.append(Problem(None, rule, f"at most {hardware.act_words} {legal}, or a batch of 1"))
    if len(places.inputs) > 1 and 4 * places.input_words > hardware.act_words:
        rule = f"{len(places.inputs)} inputs need {2 * places.input_words} 64-bit words"
        found.append(Problem(None, rule, f"one input, or at most {hardware.act_words // 2} {legal}"))
    if len(places.leaving) > 1 and places.output_groups > hardware.output_groups:
        rule = f"results of {len(places.leaving)} outputs need {places.output_groups} channel groups"
        found.append(Problem(None, rule, f"one output, or at most {hardware.output_groups} {legal}"))
    return found


def _results(staged: Staged[Stage], hardware: Hardware) -> list[Problem]:
    """Results of which the output buffer does not hold a pixel."""
    found = []
    for name in dict.fromkeys(staged.outputs):
        groups = -(-staged.types[name].channels // 8)
        if groups > hardware.output_groups:
            legal = f"at most {hardware.output_groups} in hardware {hardware.name}"
            found.append(Problem(name, f"results of a pixel need {groups} channel groups", legal))
    return found


def _piece(piece: channel_parts.Part, hardware: Hardware) -> list[Problem]:
    """What the smallest part of a layer needs too much of."""
    name, found = piece.layer.stage.name, []
    for what, need, have in (
        (f"weights of {8 * piece.groups} output channels need {{}} lines", len(piece.weights), hardware.weight_lines),
        ("parameters need {} channel groups", piece.groups, hardware.param_groups),
        ("thresholds and tables need {} entries", piece.entries, hardware.table_entries),
    ):
        if need > have:
            found.append(Problem(name, what.format(need), f"at most {have} in hardware {hardware.name}"))
    return found


def listed(planned: Planned) -> Program:
    """The layers of a frame or a batch, and what they take in all."""
    layers = tuple(run.layer for run in runs(planned))
    sizes = [(len(piece.weights), piece.groups, piece.entries) for piece in planned.pieces]
    lines, groups, entries = (sum(column) for column in zip(*sizes, strict=True))
    return Program(layers, (), Usage(lines, groups, entries, len(layers), 0))


def too_large(made: Image, hardware: Hardware) -> Sequence[Problem]:
    """A network that external memory does not hold."""
    have = hardware.memory_mib << 20
    if made.size <= have:
        return []
    rule = f"records, parameters, weights and maps need {made.size} bytes of external memory"
    return [Problem(None, rule, f"at most {have} in hardware {hardware.name}")]


def port(made: Image, hardware: Hardware, latency: int, gap: int) -> MemoryPort:
    """The design's external memory."""
    registers = control_registers(external=True)
    halves = [address("control", 0) + registers[f"memory_{half}"].offset for half in ("low", "high")]
    size = -(-made.size // PAGE) * PAGE
    return MemoryPort(hardware.m_axi, to_words(made.words, 64).ravel(), size, (halves[0], halves[1]), latency, gap)
