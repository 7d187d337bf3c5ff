"""`bitwright search` from the outside."""

import json

import numpy as np
import onnx
import pytest

from bitwright.api import load
from bitwright.cli import main
from bitwright.models import to_onnx
from bitwright.quantization.size import weight_bits


@pytest.fixture
def files(graph, data, tmp_path):
    onnx.save(to_onnx(graph), tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=data, labels=np.arange(len(data)) % 5)
    return tmp_path


def arguments(files, *more):
    fixed = [
        "--weight-bits",
        "2,8",
        "-O",
        "samples=8",
        "-O",
        "points=2",
        "-O",
        f"cache={files / 'cache'}",
        "--jobs",
        "1",
    ]
    return ["search", str(files / "model.onnx"), "--data", str(files / "data.npz"), *fixed, *more]


def test_search_writes_network_table_and_plot(files, capsys):
    paths = [files / name for name in ("out.bw", "front.csv", "front.html")]
    more = ["--budget", "430", "-o", str(paths[0]), "--csv", str(paths[1]), "--plot", str(paths[2]), "--json"]
    assert main(arguments(files, *more)) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["chosen"]["cost"] <= 430
    assert weight_bits(load(paths[0])) / 8 == result["chosen"]["cost"]
    assert len(paths[1].read_text().splitlines()) == 1 + len(result["points"])
    assert "<html lang=" in paths[2].read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "x.bw"], "--output needs --budget or --max-loss"),
        (["--budget", "5"], "the budget is 5; the least that these candidates can cost is 214"),
        (["--weight-bits", "two"], "--weight-bits is 'two'; legal are whole numbers"),
        (["-O", "depth=3"], "the search has no option 'depth'"),
        (["-Q", "bits=3"], "the quantizer has no option 'bits'"),
        (["--max-loss", "-101"], "max_loss=-101 is out of reach: the network that loses least, "),
    ],
)
def test_mistakes_are_one_line(files, capsys, more, message):
    assert main(arguments(files, *more)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
