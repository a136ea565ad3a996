"""The package's one surface, and that docs/python.md tells all of it."""

import re
from pathlib import Path

import pytest

import visavis
import visavis.client
from visavis.client import CallError, DisconnectReason
from visavis.client.outcome import _TOLD, Outcome

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "python.md").read_text()


def rows(heading: str) -> dict[str, str]:
    """The table after a heading: the word in its first column, and the rest."""
    section = DOCS.split(f"\n{heading}\n")[1].split("\n#")[0]
    return {match[1]: match[2] for match in re.finditer(r"^\| `(\w+)` \|(.*)$", section, re.MULTILINE)}


def test_it_is_typed() -> None:
    assert visavis.__file__
    assert (Path(visavis.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize("name", visavis.client.__all__)
def test_every_name_is_there_and_told_of(name: str) -> None:
    assert hasattr(visavis.client, name)
    assert re.search(rf"\b{name}\b", DOCS) or name == "Event"


@pytest.mark.parametrize("name", [name for name in dir(visavis.client.Call) if not name.startswith("_")])
def test_every_part_of_a_call_is_told_of(name: str) -> None:
    assert re.search(rf"\b{name}\b", DOCS)


def test_the_errors_of_the_documentation_are_those_of_the_code() -> None:
    told = rows("### Errors")
    classes = {error.__name__: error for error in CallError.__subclasses__()}
    assert set(told) == set(classes)
    for name, columns in told.items():
        assert f"`{classes[name].name}`" in columns
    for code, (error, _) in _TOLD.items():
        if code != "app_failed":
            assert f"`{code}`" in told[error.__name__], code


def test_the_reasons_of_the_documentation_are_those_of_the_code() -> None:
    told = rows("## The end")
    del told["DisconnectReason"]
    assert set(told) == set(DisconnectReason)
    for reason, columns in told.items():
        for code in re.findall(r"`([a-z]+_[a-z_]+|normal|aborted|replaced)`", columns.rsplit("|", 2)[1]):
            assert Outcome(code, "").disconnection("").reason == reason, code


def test_the_examples_in_the_documentation_are_python() -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    assert len(blocks) > 8
    for block in blocks:
        body = "".join(f"    {line}\n" for line in block.splitlines())
        compile(f"async def example():\n{body}", "docs/python.md", "exec")
