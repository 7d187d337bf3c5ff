"""`--json`: every object has a version and the names that docs/json.md lists."""

import re
from pathlib import Path

import pytest

from bitwright.commands.console import JSON_VERSION

PAGE = Path(__file__).parents[2] / "docs" / "json.md"


def documented():
    """Names by command."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text(), re.M)
    return {command: set(re.findall(r"`(\w+)`", names)) for command, names in rows}


def test_every_command_is_documented():
    from bitwright import cli

    assert set(documented()) >= {name.rpartition(".")[2] for name in cli.COMMANDS}


COMMANDS = ("check", "evaluate", "compare", "compile", "quantize", "report", "targets", "export")


@pytest.mark.parametrize("command", COMMANDS)
def test_names_are_those_of_the_page(result, model, data, tmp_path, command):
    build = tmp_path / "build"
    result("compile", model, "-o", build)
    arguments = {
        "check": (model,),
        "evaluate": (model, "--data", data),
        "compare": (model,),
        "compile": (model, "-o", tmp_path / "made"),
        "quantize": (model, "-o", tmp_path / "made.bw"),
        "report": (build,),
        "targets": (),
        "export": (model, "-o", tmp_path / "made.onnx"),
    }
    found = result(command, *arguments[command])
    assert found.pop("version") == JSON_VERSION
    assert set(found) <= documented()[command]
    assert found


def test_a_float_model_is_described_by_the_names_of_the_page(result, float_onnx):
    found = result("check", float_onnx)
    assert found.pop("version") == JSON_VERSION
    assert set(found) <= documented()["check"]


def test_options_go_out_and_come_in(result, fails, model, tmp_path):
    path = tmp_path / "folding.json"
    first = result("compile", model, "-o", tmp_path / "a", "-O", "lanes=3", "-O", "shape=1,2", "--save-config", path)
    again = result("compile", model, "-o", tmp_path / "b", "--config", path)
    assert again["digest"] == first["digest"]
    assert again["options"] == first["options"] == {"lanes": 3, "shape": [1, 2]}
    assert result("compile", model, "-o", tmp_path / "c", "--config", path, "-O", "lanes=4")["options"]["lanes"] == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "is no file of options; legal is what"),
        ('{"format": "bitwright config", "version": 9, "target": "fake", "options": {}}', "has version 9; legal is 1"),
        ('{"format": "bitwright config", "version": 1, "target": 3, "options": {}}', "names no target with options"),
        (
            '{"format": "bitwright config", "version": 1, "target": "fake", "options": {"depth": 1}}',
            "has no option 'depth'; legal are lanes",
        ),
        (
            '{"format": "bitwright config", "version": 1, "target": "fake", "options": {"lanes": "x"}}',
            "option lanes is 'x'; legal is a whole number",
        ),
    ],
)
def test_damaged_files_of_options_are_told(fails, model, tmp_path, content, message):
    path = tmp_path / "folding.json"
    path.write_text(content)
    assert message in fails("compile", model, "-o", tmp_path / "a", "--config", path)
    assert not (tmp_path / "a").exists()
