"""Networks with several inputs and outputs: both evaluators, files, passes, and what is refused."""

import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest
from random_networks import random_input, random_network, random_ports

from bitwright.errors import DataError, ModelError
from bitwright.network import InputSpec, IntType, Network, Node, OutputSpec, TensorType, evaluate, ops, storage
from bitwright.network.bundles import bundled, parts
from bitwright.network.passes import simplify

SHAPE = TensorType((2, 3, 4), IntType(4))


@pytest.mark.parametrize("seed", range(24))
def test_both_evaluators_files_and_passes_agree(seed):
    network = random_ports(seed, 1 + seed % 3, 1 + seed // 3 % 3)
    x = random_input(network, 5, seed)
    expected = network.leaving(evaluate(network, x))
    np.testing.assert_array_equal(network.evaluator.run(x), expected)
    again = storage.from_bytes(storage.to_bytes(network))
    assert again.digest == network.digest
    assert [spec.name for spec in again.outputs] == [spec.name for spec in network.outputs]
    simple = simplify(network)
    np.testing.assert_array_equal(simple.leaving(evaluate(simple, x)), expected)


@pytest.mark.parametrize("seed", range(8))
def test_floats_go_in_and_out_by_name(seed):
    network = random_ports(seed, 2, 2)
    scales = [dataclasses.replace(spec, scale=0.25 * (k + 1)) for k, spec in enumerate(network.inputs)]
    network = dataclasses.replace(network, inputs=scales)
    rng = np.random.default_rng(seed)
    x = {spec.name: rng.normal(0, 9, (6, *spec.shape)).astype(np.float32) for spec in network.inputs}
    found, q = network.predict(x), network.quantize(x)
    for spec in network.inputs:
        np.testing.assert_array_equal(q[spec.name], spec.quantize(x[spec.name]))
    values = evaluate(network, q)
    for spec in network.outputs:
        np.testing.assert_array_equal(found[spec.name], spec.dequantize(values[spec.value]))


def added(*outputs: OutputSpec) -> Network:
    nodes = [Node("sum", ops.Add(), ("a", "b")), Node("max", ops.MaxPool((2, 3), (1, 1)), ("sum",))]
    return Network((InputSpec(SHAPE, name="a"), InputSpec(SHAPE, name="b")), nodes, outputs)


def test_an_output_that_others_read_stays_a_value_of_its_own():
    network = added(OutputSpec(value="sum", name="early"), OutputSpec(name="late"))
    assert [spec.value for spec in network.outputs] == ["sum", "max"]
    assert [reader.name for reader in network.consumers["sum"]] == ["max", "early"]
    assert network.signature == "a uint4[2, 3, 4], b uint4[2, 3, 4] -> early uint5[2, 3, 4], late uint5[1, 1, 4]"
    with pytest.raises(
        ModelError, match=r"^the network has 2 inputs \(a, b\); what is asked for takes networks of one$"
    ):
        _ = network.input


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ((), "the outputs are called nothing"),
        ((OutputSpec(), OutputSpec()), "the outputs are called output, output"),
        ((OutputSpec(value="sum"),), "values max lead nowhere"),
        ((OutputSpec(value="a"),), "output is 'a', which no node makes"),
        ((OutputSpec(value="c", name="c"),), "output 'c' is 'c', which no node makes"),
        ((OutputSpec(name="y", shape=(7,)),), r"output 'y' shape \(7,\)"),
    ],
)
def test_outputs_that_are_none(outputs, message):
    with pytest.raises(ModelError, match=message):
        added(*outputs)


def test_an_input_that_nothing_reads_is_refused():
    first = added(OutputSpec())
    with pytest.raises(ModelError, match="no node reads the inputs c"):
        dataclasses.replace(first, inputs=(*first.inputs, InputSpec(SHAPE, name="c")))


def test_data_that_do_not_fit_say_which_input():
    network, x = added(OutputSpec()), np.zeros((2, 2, 3, 4), np.int64)
    for given, message in (
        (x, "one array given; legal are arrays by name: 'a', 'b'"),
        ({"a": x}, "arrays 'a' given; legal are arrays by name: 'a', 'b'"),
        ({"a": x, "b": x[:1]}, "there are 2 of a, 1 of b"),
        ({"a": x, "b": x + 16}, r"input 'b' spans \[16, 16\], outside uint4"),
        ({"a": x, "b": x[..., :3]}, r"input 'b' has shape \(2, 2, 3, 3\)"),
    ):
        with pytest.raises(DataError, match=message):
            evaluate(network, given)
        with pytest.raises(DataError, match=message):
            network.evaluator.run(given)


def test_a_bundle_is_cut_and_joined_as_an_array():
    x = bundled({"a": np.arange(6).reshape(3, 2), "b": np.arange(3.0)})
    joined = np.concatenate([x[2:], x[:2]])
    assert len(joined) == 3
    assert joined["a"].tolist() == [[4, 5], [0, 1], [2, 3]]
    assert list(parts(joined, ["b", "a"])) == ["b", "a"]


def test_files_of_version_1_load():
    network = random_network(3)
    with zipfile.ZipFile(io.BytesIO(storage.to_bytes(network))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    tree = json.loads(entries["network.json"])
    for what, more in (("input", ("name",)), ("output", ("name", "value"))):
        (tree[what],) = tree.pop(f"{what}s")
        for name in more:
            del tree[what][name]
    del entries["format.json"]
    entries["network.json"] = json.dumps(tree).encode()
    header = {"format": storage.FORMAT, "version": 1, "digest": storage._digest(entries)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {"format.json": json.dumps(header).encode(), **entries}.items():
            archive.writestr(name, content)
    assert storage.from_bytes(buffer.getvalue()).digest == network.digest
