"""Code blocks of all pages: Python runs, commands are legal, files and targets of make that they name exist.

A Python block that does not run has a comment before it, `<!-- not run: REASON -->`; its syntax is checked. Blocks of a
page run one after the other in one namespace. In shell blocks every line of `bitwright` is read by the command
line's own parser, and those of QUICK whose files are there run. Blocks called `text` are outputs or drawings.
"""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer

import bitwright as bw
from bitwright import cli
from bitwright.demo.run import files as demo_files

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TUTORIAL = ROOT / "docs" / "tutorial.md"  # runs as a whole, see test_site.py
BLOCK = re.compile(r"(?:<!-- not run: (?P<reason>[^>]+) -->\n)?^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.S | re.M)
INDENTED = re.compile(r"^    (?:bitwright|python|make|import|from) ", re.M)
KINDS = {"python", "sh", "text", "toml", "json", "systemverilog", "verilog", "asm"}
QUICK = ("check", "targets", "options", "evaluate", "export", "report")
ELSEWHERE = ("git", "pip", ".", "cd", "openFPGALoader", "apt", "python -m pip")  # the network, or a board


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, kind: str) -> list[tuple[str, str | None]]:
    """Text of the blocks of a kind, and why a block is not run."""
    found = BLOCK.finditer(page.read_text())
    return [(m["text"], m["reason"]) for m in found if m["kind"].split(" ")[0] == kind]


def lines(page: Path) -> list[str]:
    """The commands of a page's shell blocks, without comments; continued lines joined."""
    text = "\n".join(text for text, _ in blocks(page, "sh")).replace("\\\n", " ")
    commands = [part.strip() for line in text.splitlines() for part in re.sub(r"(^|\s)#\s.*", "", line).split("&&")]
    return [command for command in commands if command]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What pages call model.onnx (quantized), model.bw, build/, calib.npz, test.npz: the demo's CNN and its data."""
    made = tmp_path_factory.mktemp("pages")
    model, data = demo_files()
    (made / "model.onnx").write_bytes(model.read_bytes())
    stored = np.load(data)
    x = stored["images"].astype(np.float32)[:, None] / 16
    for file in ("calib.npz", "train.npz", "calibration.npz"):
        np.savez(made / file, x=x[:100])
    np.savez(made / "test.npz", x=x[100:200], labels=stored["labels"][100:200])
    network = bw.load(made / "model.onnx")
    bw.save(network, made / "model.bw")
    for file in ("kernel.asm", "kernel.hex"):
        (made / file).touch()
    bw.save_design(bw.compile(network, interval=4608), made / "build")
    return made


@pytest.fixture
def known(folder):
    """The names that Python blocks use without making them."""
    test = np.load(folder / "test.npz")
    network = bw.load(folder / "model.bw")
    return {
        "bw": bw,
        "np": np,
        "net": network,
        "x": np.load(folder / "calib.npz")["x"],
        "x_test": test["x"],
        "labels": test["labels"],
    }


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_blocks_are_of_a_known_kind(page):
    text = page.read_text()
    kinds = {m["kind"].split(" ")[0] for m in BLOCK.finditer(text)}
    assert kinds <= KINDS
    assert not INDENTED.search(BLOCK.sub("", text)), "a block without a fence is not tested"


RUN_ELSEWHERE = (TUTORIAL, ROOT / "README.md")  # the Python of the README runs in examples/test_examples.py
PYTHON = [page for page in PAGES if page not in RUN_ELSEWHERE and blocks(page, "python")]


@pytest.mark.parametrize("page", PYTHON, ids=name)
def test_python_runs(page, folder, known, monkeypatch):
    monkeypatch.chdir(folder)
    for number, (text, reason) in enumerate(blocks(page, "python")):
        code = compile(text, f"{name(page)}, block {number}", "exec")
        if reason is None:
            exec(code, known)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_legal(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    program = typer.main.get_command(cli.app)
    for line in lines(page):
        words = shlex.split(line)
        if words[0] == "bitwright" and not words[1].startswith("-"):
            command = program.commands[words[1]]
            command.make_context(words[1], [word.rstrip(",") for word in words[2:]]).close()
        elif words[0] == "make":
            assert all(re.search(rf"^{word}:", (ROOT / "Makefile").read_text(), re.M) for word in words[1:]), line
        elif words[0] == "python" and words[1].startswith(("benchmarks", "tests", "examples")):
            assert (ROOT / words[1]).exists(), line
        else:
            assert words[0] in ("bitwright", "python", *ELSEWHERE), f"{line}: say how it is tested"


@pytest.mark.parametrize("page", [page for page in PAGES if page != TUTORIAL and lines(page)], ids=name)
def test_quick_commands_run(page, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for line in lines(page):
        words = shlex.split(line)
        if words[0] != "bitwright" or words[1] not in QUICK or "--help" in words:
            continue
        given = [word for word in words[2:] if re.fullmatch(r"[\w/]+(\.(onnx|bw|npz)|/)", word) and word != words[-1]]
        if all((folder / word).exists() for word in given):
            assert cli.main(words[1:]) == 0, f"{line}: {capsys.readouterr().err}"
