"""Make the files of the JavaScript client that hold others: in ``src/visavis/web/sdk``,

- ``microphone-worklet.js``, the part that runs on the audio thread. Bundlers copy it as it is, so it imports nothing;
- ``visavis.umd.js``, the whole client for pages without ES modules. That part travels inside it, as text, since it
  cannot be found beside a file of unknown place.

    python tools/build_sdk.py

Every module becomes a function that returns what it exports, called in the order of the imports. Only the forms of
import and export that the client uses are understood; any other is an error.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

SDK = Path(__file__).parents[1] / "src" / "visavis" / "web" / "sdk"

CLIENT = "visavis.js"
PROCESSOR = "microphone-processor.js"
WORKLET_ADDRESS = "worklet-address.js"

_IMPORT = re.compile(r'^import (?:\{(?P<names>[^}]*)\}|\* as (?P<whole>\w+)) from "\./(?P<file>[\w.-]+)";\n', re.M)
_FORWARD = re.compile(r'^export \{(?P<names>[^}]*)\} from "\./(?P<file>[\w.-]+)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:class|(?:async )?function|const) (?P<name>\w+))", re.M)
_DOCUMENTATION = re.compile(r"^[ \t]*/\*\*.*?\*/[ \t]*\n", re.M | re.S)

_INLINE_WORKLET = """\
let address = "";
export function workletAddress() {
  address ||= URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
  return address;
}
"""

_WORKLET = """\
/* Made by tools/build_sdk.py of microphone-processor.js and what it imports. */
%s
"""

_UMD = """\
/*! The JavaScript client of visavis, in one file. Made by tools/build_sdk.py of the ES modules beside it. */
(function (root, factory) {
  if (typeof exports === "object" && typeof module !== "undefined") {
    module.exports = factory();
  } else if (typeof define === "function" && define.amd) {
    define([], factory);
  } else {
    root.visavis = factory();
  }
})(typeof globalThis === "undefined" ? self : globalThis, function () {
"use strict";
%s
return %s;
});
"""


class BuildError(Exception):
    """A module has a form that is not understood, or imports itself in a circle."""


def build(folder: Path = SDK) -> dict[str, str]:
    """The files' names and texts. Raises ``BuildError``."""
    worklet = _WORKLET % _bundle(folder, PROCESSOR, {})
    inline = _INLINE_WORKLET.replace("WORKLET", json.dumps(worklet, ensure_ascii=False))
    client = _UMD % (_bundle(folder, CLIENT, {WORKLET_ADDRESS: inline}), _variable(CLIENT))
    return {"microphone-worklet.js": worklet, "visavis.umd.js": client}


def _bundle(folder: Path, entry: str, replaced: dict[str, str]) -> str:
    """``entry`` and all it imports, each a function; ``replaced`` are texts that stand in for files."""
    return "\n".join(_functions(folder, entry, replaced, set(), ()))


def _functions(
    folder: Path, name: str, replaced: dict[str, str], done: set[str], above: tuple[str, ...]
) -> Iterator[str]:
    if name in above:
        raise BuildError(f"modules import each other in a circle: {' → '.join((*above, name))}")
    if name in done:
        return
    done.add(name)
    text = replaced.get(name) or (folder / name).read_text()
    for needed in (*_IMPORT.finditer(text), *_FORWARD.finditer(text)):
        yield from _functions(folder, needed["file"], replaced, done, (*above, name))
    yield _function(name, text)


def _function(name: str, text: str) -> str:
    exported: list[str] = []

    def bring(found: re.Match[str]) -> str:
        module = _variable(found["file"])
        return f"const {found['whole'] or _destructured(found['names'])} = {module};\n"

    def forward(found: re.Match[str]) -> str:
        exported.extend(_names(found["names"]))
        return f"const {_destructured(found['names'])} = {_variable(found['file'])};\n"

    def export(found: re.Match[str]) -> str:
        exported.append(found["name"])
        return ""

    code = _DOCUMENTATION.sub("", text)
    code = _EXPORT.sub(export, _FORWARD.sub(forward, _IMPORT.sub(bring, code)))
    unknown = re.search(r"^(?:import|export)\b.*|\bimport\.meta\b", code, re.M)
    if unknown:
        raise BuildError(f"{name}: cannot be built: {unknown[0]}")
    return f"const {_variable(name)} = (() => {{\n{code.strip()}\nreturn {{ {', '.join(exported)} }};\n}})();"


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _destructured(text: str) -> str:
    return f"{{ {', '.join(name.replace(' as ', ': ') for name in _names(text))} }}"


def _variable(file: str) -> str:
    return "$" + re.sub(r"\W", "_", file.removesuffix(".js"))


if __name__ == "__main__":
    for made, text in build().items():
        (SDK / made).write_text(text)
