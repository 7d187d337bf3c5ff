"""Text on its way out: whatever a name holds, it is one line that controls nothing."""

import html
import re

import pytest
from hostile import CONTROLS, NAMES
from hypothesis import given
from hypothesis import strategies as st

from bitwright.commands.console import Console
from bitwright.errors import ModelError
from bitwright.text import cell, comment, is_identifier, is_source_path, label, markup, printable, unique

ANY = st.one_of(st.text(), st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])), st.sampled_from(NAMES))


@given(ANY)
def test_printable_is_one_line_without_controls(text):
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert printable(shown) == shown
    assert shown == text or not text.isprintable()


@given(ANY)
def test_comments_are_plain(text):
    assert re.fullmatch(r"[A-Za-z0-9_ .,:;+<>()\[\]|=/%-]*", comment(text))
    assert "*/" not in comment(text)


@given(ANY)
def test_labels_are_short(text):
    assert len(label(text, 40)) <= 40 * len("\\U00000000")
    assert label(text, 40).isprintable()
    assert html.unescape(markup(text)) == label(text)
    assert not re.search(r"[<>\"']", markup(text))


def test_what_escapes_look_like():
    assert printable("a\n\t\x1b[0m\x85\u2028\ud800é") == "a\\n\\t\\x1b[0m\\x85\\u2028\\ud800é"
    assert comment("conv1/Relu\n*/ $x é") == "conv1/Relu%0A%2A/ %24x %C3%A9"
    assert printable("abcdef", 4) == "abcd... (2 more characters)"
    assert cell("=1+1") == "'=1+1"
    assert cell("a\n=1") == "a\\n=1"


def test_long_labels_stay_apart():
    names = {label("x" * 500 + end) for end in "abc"}
    assert len(names) == 3
    assert all(len(name) == 60 for name in names)


def test_unique_names():
    assert unique("a", {"b"}) == "a"
    assert unique("a", {"a", "a_2"}) == "a_3"


@given(ANY)
def test_identifiers_and_paths_are_plain(text):
    assert not is_identifier(text) or re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII)
    assert not is_source_path(text) or not ({"..", ".", ""} & set(text.split("/")) or text.startswith(("-", "/")))


def test_illegal_paths():
    paths = ["a\n", "a\\", "a/../b", "../a", "/a", "a//b", "-a", ".a", "", "a b", "a;b", "a\x00", None, 3]
    assert not any(map(is_source_path, paths))


@given(ANY, ANY)
def test_errors_are_one_line_each(text, other):
    assert "\n" not in str(ModelError(f"node {text}"))
    assert str(ModelError.of("here", [text, other])).count("\n") == 2
    assert not CONTROLS.search(str(ModelError.of("here", [text, other])))


@pytest.mark.parametrize("name", NAMES)
def test_the_console_shows_names_as_they_are(name, capsys):
    console = Console()
    console.say(f"<{name}>")
    console.table(name, ["name", name], [[name, 3], ["plain", 4]])
    with console.progress() as progress:
        progress(name, 1, 2)
    with console.busy(name):
        pass
    captured = capsys.readouterr()
    assert not CONTROLS.search(captured.out + captured.err)
    assert captured.out.splitlines()[0] == f"<{printable(name)}>"
    assert captured.out.count("\n") == 5


@pytest.mark.parametrize("name", ["\x1b[2J\x07", "[red]a[/]", "[/]", ":boom:", "\u202eb\u2028", "x" * 300])
def test_a_terminal_gets_no_codes_of_names(name, capsys, monkeypatch):
    """Colors, cursor and progress bars are the console's own, and names are no markup."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    console = Console()
    console.say(f"<{name}>")
    console.table(name, [name], [[name]])
    with console.progress() as progress:
        progress(name, 1, 2)
    with console.busy(name):
        pass
    captured = capsys.readouterr()
    assert "\x1b[" in captured.err
    for text in (captured.out, captured.err):
        assert not CONTROLS.search(re.sub(r"\x1b\[(\d+(;\d+)*m|\?25[lh]|1A|2K)|\r", "", text))
    assert f"<{printable(name)}>" in captured.out
