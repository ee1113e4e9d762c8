"""What the papers of the house promise: every bundled file is credited, every link leads somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from marsqe.cli.main import parser

ROOT = Path(__file__).parents[1]
RESOURCES = ROOT / "resources"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *RESOURCES.glob("*.md")])


def test_notice_credits_every_patch_of_the_dictionary() -> None:
    notice = (RESOURCES / "NOTICE.md").read_text(encoding="utf-8").splitlines()
    entries = json.loads((RESOURCES / "dictionary" / "dictionary.json").read_text(encoding="utf-8"))["entries"]
    assert entries
    for entry in entries:
        row = next((line for line in notice if f"`{entry['source']}`" in line), "")
        assert f"{entry['terrain']} {entry['x']}, {entry['y']}" in row, f"{entry} is not in NOTICE.md"
        assert entry["credit"] in row


def test_every_weight_file_has_its_card() -> None:
    weights = list((RESOURCES / "weights").glob("*.safetensors"))
    assert weights
    for path in weights:
        assert path.with_suffix(".json").is_file(), f"{path.name} has no model card"


def anchors(file: Path) -> list[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+\s+(.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "mailto:"))]
    for link in links:
        target, _, anchor = link.partition("#")
        file = (document.parent / target).resolve() if target else document
        assert file.exists(), f"{document.name} links to {link}"
        if anchor:
            assert anchor in anchors(file), f"{document.name} links to {link}"


def test_commands_of_the_readme_are_understood() -> None:
    """Each `marsqe ...` line in the README parses with the command line's own parser."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line.split("#")[0].split()[1:] for line in readme.splitlines() if line.startswith("marsqe ")]
    assert len(lines) >= 8
    for words in lines:
        parser().parse_args(words)
