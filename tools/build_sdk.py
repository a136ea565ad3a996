"""Make ``src/visavis/web/sdk/visavis.umd.js``, the JavaScript client in one file for pages without ES modules.

    python tools/build_sdk.py

Every module becomes a function that returns what it exports, called in the order of the imports. Only the forms of
import and export that the client uses are understood; any other is an error. The part that runs on the audio thread
cannot be found beside a file of unknown place, so it travels inside, as text.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

SDK = Path(__file__).parents[1] / "src" / "visavis" / "web" / "sdk"
TARGET = SDK / "visavis.umd.js"

ENTRY = "visavis.js"
WORKLET = "microphone-worklet.js"
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


def build(folder: Path = SDK) -> str:
    """The whole file. Raises ``BuildError``."""
    inline = _INLINE_WORKLET.replace("WORKLET", json.dumps(f"{_bundle(folder, WORKLET, {})}\n", ensure_ascii=False))
    return _UMD % (_bundle(folder, ENTRY, {WORKLET_ADDRESS: inline}), _variable(ENTRY))


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
    TARGET.write_text(build())
