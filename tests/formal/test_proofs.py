"""Proofs of the RTL: the quick ones always, all of them with the slow tests, and the faults that they must find."""

import json

import prove
import pytest
from catalogue import PROOFS, Proof

QUICK = [proof for proof in PROOFS if proof.quick]
REST = [proof for proof in PROOFS if not proof.quick]
MUTANTS = [(proof, mutant) for proof in PROOFS for mutant in proof.mutants]


@pytest.mark.parametrize("proof", QUICK, ids=lambda proof: proof.name)
def test_it_is_proven(proof):
    verdict = prove.decide(proof)
    assert verdict.status == "proven", verdict


@pytest.mark.slow
@pytest.mark.parametrize("proof", REST, ids=lambda proof: proof.name)
def test_no_counterexample(proof):
    verdict = prove.decide(proof)
    assert verdict.status in ("proven", "bounded"), verdict


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
