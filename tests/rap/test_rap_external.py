"""External memory of rap: transfers as the hardware does them, and networks whose values do not fit on chip."""

import dataclasses

import numpy as np
import pytest
from random_networks import random_input
from rap_cases import CASES, OPERATIONS, conv, depthwise, image_network

import bitwright as bw
from bitwright.errors import ModelError, OptionError
from bitwright.fast.evaluator import Evaluator
from bitwright.network import IntType, ops
from bitwright.targets.contract import accepted as planned
from bitwright.targets.rap import hardware
from bitwright.targets.rap.check import MAX_ELEMENTS
from bitwright.targets.rap.isa.assembler import assemble, listing
from bitwright.targets.rap.isa.machine import Machine
from bitwright.targets.rap.isa.registers import ERRORS, MEMORY_HIGH, MEMORY_LOW
from bitwright.targets.rap.simulator.run import ProgramError, execute
from bitwright.targets.rap.target import TARGET
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, axis_input, axis_output
from bitwright.tools.model import ExternalMemory, Stalls

FRAMES = 2
MEMORY_BYTES = 16384
# latency, gap, addresses, instructions beside the loads
TRANSFERS = [(100, 1, 40, 0), (100, 1, 200, 0), (7, 1, 130, 9), (20, 3, 77, 3), (1, 1, 1, 0), (150, 1, 256, 400)]


def machine(size):
    return Machine(size=size, a_words=512, b_words=512, param_words=64, program_words=512, external=True)


def copies(count, beside):
    """Loads into every memory, and a copy of banks A by way of external memory, which is sent."""
    return f"""
          LDM a, 3, {count}, 1
          LDM b, 5, {count}, 0
          LDM param, 1, 2, 0
        {chr(10).join(["NOP"] * beside)}
          WAITM
          STM 3, {count}, 50
          LDM a, 200, {count}, 50
          WIDTH w16, unsigned, unsigned
          WAITM
          SHAPE A, 0, 0, 0, 0
          STREAM A, 200
          LEVEL A, 0, {count}, 1
          OUT {count}, 1, 16, 1
          HALT
    """


@pytest.fixture(scope="module")
def external_model():
    """The compiled hardware of each size of grid."""
    bench = Bench(hardware.TOP, [axis_input(32)], [axis_output(32)], axil=True, memory=64)
    return lambda size: verilator.build(hardware.sources(machine(size)), bench)


def run_transfers(model, made, program, count, memory):
    addresses = hardware.counter_addresses() | {"errors": ERRORS.address}
    base = [(MEMORY_LOW.address, memory.base & 0xFFFFFFFF), (MEMORY_HIGH.address, memory.base >> 32)]
    done = model.with_memory(memory).run(
        {"s_axis": np.zeros((0, 1), np.uint32)},
        {"m_axis": count},
        program=np.concatenate([np.array(base, np.uint32), hardware.loading(made, program)]),
        counters=tuple(addresses.values()),
    )
    return done.integers("m_axis") & 0xFFFF, {name: done.counters[a] for name, a in addresses.items()}


@pytest.mark.parametrize("size", [4, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 8))])
@pytest.mark.parametrize("case", TRANSFERS, ids=lambda case: "-".join(map(str, case)))
def test_transfers_take_the_cycles_of_the_simulator(external_model, size, case):
    latency, gap, count, beside = case
    made, image = machine(size), np.random.default_rng(0).integers(0, 1 << 16, 3000).astype(np.uint16)
    program = dataclasses.replace(assemble(copies(count, beside), made), memory=image, memory_bytes=MEMORY_BYTES)
    expected = execute(made, program, None, count, memory=(latency, gap))
    at = 64 + max(4, size) * np.arange(count)
    assert np.array_equal(expected.outputs[0], image[at])
    for seed in (None, 1):
        memory = ExternalMemory(image.view(np.uint32), MEMORY_BYTES, 1 << 32, latency, gap, seed)
        sent, counters = run_transfers(external_model(size), made, program, count, memory)
        assert np.array_equal(sent, image[at])
        assert seed is not None or counters == expected.counters | {"errors": 0}


def test_an_error_of_memory_is_reported(external_model):
    made, image = machine(4), np.zeros(3000, np.uint16)
    program = assemble(copies(40, 0), made)
    for which in ({"fail_read": 1}, {"fail_write": 0}):
        memory = ExternalMemory(image.view(np.uint32), MEMORY_BYTES, 1 << 32, **which)
        assert run_transfers(external_model(4), made, program, 40, memory)[1]["errors"] == 2


@pytest.mark.parametrize(
    ("text", "external", "message"),
    [
        ("LDM a, 0, 4, 0\nHALT", False, "no external memory"),
        ("LDM a, 510, 4, 0\nHALT", True, "outside the memory"),
        ("STM 0, 4, 9999\nHALT", True, "leaves external memory"),
        ("LOOP 17\nLDM b, 0, 4, 0\nENDL\nHALT", True, "more than 16 loads wait"),
    ],
)
def test_programs_that_ask_too_much(text, external, message):
    made = dataclasses.replace(machine(4), external=external)
    program = dataclasses.replace(assemble(text, made), memory_bytes=MEMORY_BYTES)
    with pytest.raises(ProgramError, match=message):
        execute(made, program)


def test_what_lies_in_memory_survives_the_listing():
    program = assemble(".memory 64: 1 2 0xffff\n LDM b, 0, 4, 1\n HALT", machine(4))
    again = assemble(listing(program), machine(4))
    assert program.memory[64:].tolist() == [1, 2, 0xFFFF]
    assert np.array_equal(again.memory, program.memory)
    assert np.array_equal(again.code, program.code)


def options_of(**values):
    return TARGET.options(**{"m_axi": 64, "program_words": 65536, "memory_latency": 37, "memory_gap": 2} | values)


def accepted(network, options):
    return planned(TARGET, network, options)


def agrees(network, options, seed=2):
    """Results of the simulator equal the network's, and its cycles the estimate's."""
    plan, x = accepted(network, options), random_input(network, FRAMES, seed)
    memory = options.memory_latency, options.memory_gap
    size = network.output_type.size
    done = execute(options.machine, plan.code.program, x.reshape(len(x), -1), size, memory=memory)
    outputs = network.output_type.dtype.decode(done.outputs).reshape(len(x), *network.output_type.shape)
    assert np.array_equal(outputs, Evaluator(network).run(x))
    assert done.counters["cycles"] == FRAMES * plan.estimate.interval_cycles - 1
    return plan


SMALL = [
    ("pad", {"a_words": 200, "b_words": 64, "param_words": 64}),
    ("pad", {"a_words": 120, "size": 8}),
    ("resize", {"a_words": 200, "b_words": 64}),
    ("resize", {"a_words": 400, "size": 2}),
    ("odd sizes", {"a_words": 120, "size": 8}),
    ("groups on words", {"a_words": 120, "size": 8}),
    ("falling lookup", {"a_words": 120, "size": 8}),
]


@pytest.mark.parametrize(("case", "values"), SMALL)
def test_operations_in_bands(case, values):
    plan = agrees(image_network(CASES[case](np.random.default_rng(1))), options_of(**values))
    assert plan.outside is not None
    assert len(plan.layers) > len({layer.layer.name for layer in plan.layers})


def requantized(shift):
    return ops.Requantize(IntType(4), 3, shift)


def mixed_network():
    """Strides, a depthwise layer, pools, and a Dense whose weights come in parts."""
    rng = np.random.default_rng(3)
    return image_network(
        [
            conv(rng, 16, 3, 3, stride=(2, 2), pads=(0, 0, 1, 1)),
            requantized(6),
            conv(rng, 16, 3, 1, groups=16, pads=(1, 1, 1, 1)),
            requantized(5),
            conv(rng, 48, 1, 16),
            requantized(6),
            ops.MaxPool((3, 3), (2, 2), (1, 1, 1, 1)),
            conv(rng, 16, 3, 48, pads=(1, 1, 1, 1)),
            requantized(8),
            ops.Flatten(),
            ops.Dense(rng.integers(-8, 8, (72, 576)), IntType(4, True)),
        ],
        (24, 24, 3),
    )


MIXED = {"a_words": 500, "b_words": 700, "param_words": 64}


@pytest.mark.parametrize("stalls", [None, Stalls(seed=3)], ids=["ideal", "random"])
@pytest.mark.parametrize("size", [4, pytest.param(8, marks=pytest.mark.slow)])
def test_networks_in_bands_in_rtl(size, stalls):
    network, options = mixed_network(), options_of(size=size, **MIXED)
    plan = agrees(network, options)
    assert plan.outside is not None
    result = bw.simulate(TARGET.emit(plan), random_input(network, FRAMES, 2), stalls=stalls)
    assert result.bit_exact
    if stalls is None:
        done = execute(
            options.machine,
            plan.code.program,
            random_input(network, FRAMES, 2).reshape(FRAMES, -1),
            network.output_type.size,
            memory=(37, 2),
        )
        assert result.counters == done.counters | {"errors": 0}


def test_values_in_bands_have_any_number_of_elements():
    layers = [conv(np.random.default_rng(5), 24, 1, 4), requantized(3), ops.MaxPool((8, 8), (8, 8))]
    network = image_network(layers, (216, 216, 4))
    assert max(t.size for t in network.types.values()) > MAX_ELEMENTS
    assert agrees(network, options_of()).outside is not None
    with pytest.raises(ModelError, match=r"shape \(216, 216, 24\) is too large"):
        accepted(network, options_of(m_axi=0))


@pytest.mark.parametrize("block", range(4))
def test_random_networks_in_bands(random_network, block):
    outside = 0
    for seed in range(10 * block, 10 * block + 10):
        network = random_network(seed, operations=OPERATIONS)
        for words in (24, 48, 96, 192):
            options = options_of(a_words=words, b_words=256, param_words=256, size=(4, 2, 8)[seed % 3])
            if not TARGET.check(network, options):
                outside += agrees(network, options, seed).outside is not None
                break
    assert outside >= 2


def test_what_fits_stays_on_chip():
    network = mixed_network()
    inside = accepted(network, TARGET.options())
    same = accepted(network, TARGET.options(m_axi=64))
    assert same.outside is None
    assert same.estimate.interval_cycles == inside.estimate.interval_cycles
    assert np.array_equal(same.code.program.code, inside.code.program.code)


def test_the_next_weights_are_loaded_beside_the_computation():
    """Waiting for weights costs less than their loads: slower memory takes fewer cycles more than it has beats more."""
    network = mixed_network()
    plans = [agrees(network, options_of(**MIXED | {"b_words": 2048}, memory_gap=gap)) for gap in (1, 2)]
    beats = sum(plans[0].outside.moved) // 8
    assert plans[1].estimate.interval_cycles - plans[0].estimate.interval_cycles < beats


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a_words": 40}, "smallest band of its rows needs"),
        ({"b_words": 16}, "words of weights of its smallest part do not fit"),
        ({"program_words": 200}, "words of instructions do not fit 200"),
        ({"m_axi": 0}, "words in each bank of feature maps"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    found = TARGET.check(mixed_network(), options_of(**MIXED | values))
    assert any(message in str(problem) for problem in found), found


def test_stochastic_rounding_in_bands_is_refused():
    network = image_network([*CASES["stochastic rounding"](np.random.default_rng(1))], (24, 24, 8))
    found = TARGET.check(network, options_of(a_words=300))
    assert "draws for the whole image" in str(found[0])


@pytest.mark.parametrize(
    "values", [{"m_axi": 32}, {"memory_latency": 0}, {"memory_gap": 101}, {"memory_mib": 0}, {"m_axi": True}]
)
def test_options(values):
    with pytest.raises(OptionError, match=next(iter(values))):
        TARGET.options(**values)


def test_depthwise_rows_in_bands():
    rng = np.random.default_rng(5)
    network = image_network(
        [depthwise(rng, 24, 3, pads=(1, 1, 1, 1)), ops.Requantize(IntType(8), 1, 9), depthwise(rng, 24, 5)],
        (20, 18, 24),
        8,
    )
    assert agrees(network, options_of(a_words=700)).outside is not None
