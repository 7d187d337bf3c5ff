"""Proofs of the RTL: the quick ones always, all of them with the slow tests, and the faults that they must find."""

import json

import prove
import pytest
from catalogue import PROOFS
from proof import Proof

QUICK = [proof for proof in PROOFS if proof.quick]
REST = [proof for proof in PROOFS if not proof.quick]
MUTANTS = [(proof, mutant) for proof in PROOFS for mutant in proof.mutants]


@pytest.mark.parametrize("proof", QUICK, ids=lambda proof: proof.name)
def test_it_is_proven(proof):
    verdict = prove.decide(proof)
    assert verdict.status == "proven", verdict


@pytest.mark.slow
@pytest.mark.parametrize("proof", REST, ids=lambda proof: proof.name)
def test_the_rest_is_proven(proof):
    verdict = prove.decide(proof)
    assert verdict.status == "proven", verdict


@pytest.mark.slow
@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_the_harness_is_alive(proof):
    assert prove.decide(proof, reach=True).status == "fails"


@pytest.mark.parametrize(("proof", "mutant"), MUTANTS, ids=lambda value: value[1] if isinstance(value, tuple) else "")
def test_faults_are_found(proof, mutant):
    verdict = prove.decide(proof, mutant=mutant)
    assert verdict.status == "fails", f"{mutant}: {verdict}"
    assert verdict.cycles <= prove.BOUND


def test_names_are_unique_and_harnesses_used():
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)
    assert {proof.harness for proof in PROOFS} == {path.stem for path in prove.HARNESS.glob("*.sv")}


def test_a_row_with_anything_wrong_is_told():
    row = {"status": "proven", "alive_after": 3, "missed": []}
    assert prove.good(row)
    for change in ({"status": "fails"}, {"alive_after": None}, {"missed": ["stream_skid.sv"]}):
        assert not prove.good(row | change)


def test_rows_replace_their_own_alone(tmp_path):
    path = tmp_path / "rows.json"
    first, second = PROOFS[0].name, PROOFS[1].name
    for row in ({"name": second, "status": "bounded"}, {"name": first}, {"name": second, "status": "proven"}):
        prove.keep(path, row)
    assert json.loads(path.read_text()) == [{"name": first}, {"name": second, "status": "proven"}]


def test_the_sources_hold_what_a_module_needs():
    proof = Proof("stream_fifo", "through", {})
    assert {"stream_fifo.sv", "loop_counter.sv", "ram_sdp.sv"} <= set(prove.sources(proof))


def test_a_register_that_changes_is_seen():
    toggles = "aag 2 1 1 1 0\n2\n4 5\n2\ni0 hold_in\no0 hold_o\n"  # next state: its complement
    assert changes_where_held(toggles) == [0, 1]
    assert changes_where_held(toggles.replace("4 5", "4 4")) == [0, 0]


def changes_where_held(logic):
    """The output of the graph of changes of one register, which is 1, for an input hold_o of 0 and of 1."""
    head, *rows = (line.split() for line in prove.changes(logic, reach=False).splitlines())
    gates = [tuple(map(int, row)) for row in rows[3 : 3 + int(head[5])]]
    results = []
    for hold in (0, 1):
        values = {0: 0, 2: hold, 4: 1}
        for gate, a, b in gates:
            values[gate] = (values[a & ~1] ^ a & 1) & (values[b & ~1] ^ b & 1)
        out = int(rows[2][0])
        results.append(values[out & ~1] ^ out & 1)
    return results
