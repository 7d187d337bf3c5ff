"""The documentation holds together: links lead somewhere, every page is in the index, commands exist."""

import re
from pathlib import Path

import pytest

from bitwright import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def links(page: Path) -> list[str]:
    """The relative links of a page, without those in code."""
    found = [a or b for a, b in LINK.findall(CODE.sub("", page.read_text()))]
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)} links to {link}"
        assert not anchor or anchor in anchors(target), f"{name(page)} links to {link}"


def test_every_page_is_in_the_index():
    index = DOCS / "index.md"
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links(index)}
    missing = [name(page) for page in PAGES if page not in (index, ROOT / "README.md") and page.resolve() not in linked]
    assert not missing, f"docs/index.md does not link to {', '.join(missing)}"


def test_the_readme_leads_to_the_index():
    assert "docs/index.md" in links(ROOT / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_that_pages_show_exist(page):
    shown = set(re.findall(r"(?:^    |`)bitwright ([a-z]\S*?)(?=[\s`])", page.read_text(), re.M))
    assert shown <= set(cli.RUNS)
