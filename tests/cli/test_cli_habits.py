"""What people do before they read: help, completion, lists of options."""

import dataclasses
import os
import resource
import subprocess
import sys

import pytest

from bitwright import cli, targets
from bitwright.commands.about.options import STEPS
from bitwright.quantization.options import QuantizeOptions

BITWRIGHT = [sys.executable, "-c", "from bitwright.cli import main; raise SystemExit(main())"]


def test_options_of_the_quantizer_are_listed(result, run):
    found = result("options", "quantize")["options"]
    assert set(found) == {f.name for f in dataclasses.fields(QuantizeOptions)}
    assert found["weight_bits"] == {
        "legal": "a whole number",
        "default": "8",
        "doc": "bits of all weights, 1 to 16 (1 is bipolar)",
    }
    assert found["zero_points"]["legal"] == "true or false"
    assert "bits of all weights" in run("options", "quantize")[1]


@pytest.mark.parametrize("name", [*targets.names(), *STEPS])
def test_every_option_has_a_meaning(name, capsys):
    assert cli.main(["options", name]) == 0
    assert name in capsys.readouterr().out
    from bitwright.options import described

    kind = targets.get(name).options if name in targets.names() else None
    for row in described(kind).values() if kind else ():
        assert row["doc"]
        assert row["legal"]


def test_options_of_nothing_known_are_told(fails):
    assert fails("options", "asic") == (
        "nothing called 'asic' has options; legal are fake, quantize, search, fit, finetune"
    )


@pytest.mark.parametrize(("typed", "expected"), [("bitwright qu", "quantize"), ("bitwright options rap", "rap")])
def test_the_shell_completes(typed, expected):
    words = typed.split(" ")
    asked = {"_BITWRIGHT_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(BITWRIGHT, capture_output=True, text=True, env={**os.environ, **asked}, check=False)
    assert expected in done.stdout.split(), done.stderr


def test_help_is_quick():
    """Processor time of the quickest of three runs; benchmarks/product measures it."""

    def seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*BITWRIGHT, "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) <= 0.4
