"""The client as other projects take it: one file, a package, from another origin."""

import json
import re
from pathlib import Path

import pytest
from tools.build_sdk import SDK, BuildError, build

from tests.browser import NOTHING, chromium_page, needs_chromium
from tests.web.fake_server import LICENSE, FakeServer, eventually
from visavis import __version__

USE = """async ([Scene, server, license]) => {
  const scene = new Scene({ server, license, name: "Ada", videoElement: document.querySelector("video"),
    poster: false, requiredMediaDevices: { microphone: true } });
  globalThis.scene = scene;
  return scene.connect();
}"""


@pytest.mark.parametrize("file", ["visavis.umd.js", "microphone-worklet.js"])
def test_what_is_made_is_up_to_date(file: str) -> None:
    assert (SDK / file).read_text() == build()[file], "run python tools/build_sdk.py"


def write(folder: Path, **modules: str) -> None:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    (folder / "microphone-processor.js").write_text("registerProcessor();\n")


@pytest.mark.parametrize(
    "text",
    [
        "export default class {}\n",
        'import thing from "./other.js";\n',
        'import "./other.js";\n',
        "const address = import.meta.url;\n",
        "export { here };\n",
        "export let changing = 1;\n",
    ],
)
def test_a_form_that_is_not_understood_is_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path, visavis=text, other="")
    with pytest.raises(BuildError, match=r"visavis\.js"):
        build(tmp_path)


def test_modules_in_a_circle_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, visavis='import { a } from "./other.js";\n', other='import { b } from "./visavis.js";\n')
    with pytest.raises(BuildError, match=r"visavis\.js → other\.js → visavis\.js"):
        build(tmp_path)


@pytest.mark.browser
@needs_chromium
async def test_the_one_file_in_a_page(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(f"{server.url}/blank")
        await browser.page.add_script_tag(url="/sdk/visavis.umd.js")
        assert await browser.page.evaluate(f"([license]) => ({USE})([visavis.Scene, '/', license])", [LICENSE])
        # The microphone's part on the audio thread is in the file, too.
        await eventually(lambda: len(server.call.audio_times) > 10)
        assert not [request for request in server.requests if request.startswith("/sdk/") and "umd" not in request]
        await browser.page.evaluate("() => scene.disconnect()")
        assert await browser.held() == NOTHING


@pytest.mark.browser
@needs_chromium
async def test_a_page_of_another_origin(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(f"{server.url.replace('127.0.0.1', 'localhost')}/blank")
        use = f"""async ([server, license]) => {{
          const {{ Scene }} = await import(`${{server}}/sdk/visavis.js`);
          return ({USE})([Scene, server, license]);
        }}"""
        assert await browser.page.evaluate(use, [server.url, LICENSE]) == "session-1"
        await eventually(lambda: len(server.call.audio_times) > 10)


@pytest.mark.browser
@needs_chromium
async def test_both_forms_offer_the_same(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(f"{server.url}/blank")
        await browser.page.add_script_tag(url="/sdk/visavis.umd.js")
        one = await browser.page.evaluate("() => Object.keys(visavis)")
        many = await browser.page.evaluate("async () => Object.keys(await import('/sdk/visavis.js'))")
        assert sorted(one) == sorted(many)


def test_the_package_names_what_is_there() -> None:
    package = json.loads((SDK / "package.json").read_text())
    assert package["name"] == "visavis"
    assert package["version"] == __version__
    assert "dependencies" not in package
    named = [package["types"], package["module"], package["unpkg"], *package["sideEffects"]]
    for target in package["exports"].values():
        named += target.values() if isinstance(target, dict) else [target]
    for file in named:
        assert (SDK / file).is_file(), file


def test_every_code_is_typed_and_documented() -> None:
    causes = (SDK / "errors.js").read_text().partition("const CAUSES")[2].partition("});")[0]
    codes = set(re.findall(r'^  (\w+): \["?', causes, re.M))
    typed = (SDK / "visavis.d.ts").read_text().partition("export type Code =")[2].partition(";")[0]
    assert set(re.findall(r'"(\w+)"', typed)) == codes
    documented = (SDK.parents[3] / "docs" / "javascript.md").read_text()
    assert {code for code in codes if f"`{code}`" not in documented} == set()


def test_every_option_and_limit_is_documented() -> None:
    documented = (SDK.parents[3] / "docs" / "javascript.md").read_text()
    typing = (SDK / "visavis.d.ts").read_text()
    for interface in ("SceneOptions", "Timeouts"):
        body = typing.partition(f"export interface {interface} {{")[2].partition("\n}")[0]
        names = re.findall(r"^  (\w+)\??:", body, re.M)
        assert len(names) > 5
        assert [name for name in names if f"`{name}`" not in documented] == []
