"""The page on which avatars are made, in headless Chromium, with a scripted maker."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import FilePayload, Route, expect

from tests.browser import DESKTOP, NOTHING, PHONE, BrowserPage, chromium_page, needs_chromium
from tests.portraits.house import FOUND, PLACES, UNSURE
from tests.web.fake_server import LICENSE
from tests.web.portrait_server import (
    PortraitServer,
    expect_step,
    fill,
    make,
    noise,
    open_page,
    photo,
    portrait_server,
)
from visavis.avatar.photo.consent import STATEMENT
from visavis.portraits.draft import Fault
from visavis.portraits.maker import Built

pytestmark = [pytest.mark.browser, needs_chromium, pytest.mark.timeout(300)]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PortraitServer]:
    async with portrait_server(tmp_path / "avatars") as running:
        # A still picture: the film is looked at where it is real.
        running.house.speaker.mute = True
        yield running


async def clean(browser: BrowserPage) -> None:
    assert await browser.policy_breaches() == []
    assert browser.complaints == []


async def to_preview(browser: BrowserPage, server: PortraitServer) -> None:
    server.house.maker.gate.set()
    await open_page(browser, server)
    await fill(browser)
    await make(browser)
    await expect_step(browser, "preview")


async def to_points(browser: BrowserPage, server: PortraitServer) -> None:
    server.house.maker.events = [UNSURE]
    server.house.maker.gate.set()
    await open_page(browser, server)
    await fill(browser)
    await make(browser)
    await expect_step(browser, "points")


async def test_from_a_photo_to_an_avatar(server: PortraitServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await page.goto(f"{server.url}/")
        await page.get_by_role("link", name="Your own avatar").click()
        await expect(page.get_by_role("heading", name="Your own avatar, from one photo")).to_be_visible()
        await expect(page.locator("#consent")).not_to_be_checked()
        await expect(page.locator("#statement")).to_have_text(STATEMENT)
        await fill(browser)
        await page.get_by_label("Voice").first.select_option("A man’s voice")
        await make(browser)
        await expect(page.get_by_role("heading", name="Making Ana")).to_be_focused()
        await expect(page.locator("#stages [data-now]")).to_have_text("Looking for the face")
        await expect(page.locator("#stages [data-done]").first).to_have_text("Uploading the photo")
        await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "37")
        server.house.maker.gate.set()
        await expect(page.get_by_role("heading", name="Meet Ana")).to_be_focused()
        await expect(page.get_by_text("AI avatar", exact=True)).to_be_visible()
        await expect(page.get_by_text("It is a script.")).to_be_visible()
        await page.get_by_role("button", name="Save Ana").click()
        await expect(page.get_by_role("heading", name="Ana is ready")).to_be_focused()
        talk = page.get_by_role("link", name="Talk with Ana")
        assert await talk.evaluate("(link) => link.href") == f"{server.url}/?avatarId=ana"
        assert await page.evaluate("() => sessionStorage.getItem('visavis.license')") == "token-ana"
        await clean(browser)
    (avatar,) = server.house.catalogue.find("Ana")
    order = server.house.maker.orders[0]
    assert (avatar.id, order.voice, order.consent.statement) == ("ana", "adam", STATEMENT)


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("no_face", "No face was found"),
        ("several_faces", "There is more than one face"),
        ("face_too_small", "The face is too small"),
        ("turned_away", "The face is turned away"),
        ("covered", "The face is covered"),
        ("cut_off", "Part of the face is missing"),
        ("eyes_closed", "The eyes are closed"),
        ("not_an_image", "This is not a photo"),
        ("too_large", "The photo is too large"),
        ("failed", "This did not work"),
    ],
)
async def test_refusals_are_told_and_the_next_photo_is_taken(server: PortraitServer, code: str, title: str) -> None:
    maker = server.house.maker
    maker.events = [Fault(code, "what was wrong; what to do about it")]
    maker.gate.set()
    async with chromium_page() as browser:
        page = browser.page
        await open_page(browser, server)
        await fill(browser)
        await make(browser)
        await expect(page.get_by_role("alert").get_by_role("heading")).to_have_text(title)
        await expect(page.get_by_role("alert")).to_contain_text("What was wrong; what to do about it.")
        await expect(page.locator("#step-photo")).to_be_visible()
        maker.events = [FOUND, Built(PLACES, ())]
        await page.locator("#file").set_input_files(photo())
        await expect(page.get_by_role("alert")).to_be_hidden()
        await make(browser)
        await expect_step(browser, "preview")
        await clean(browser)


@pytest.mark.parametrize(
    ("file", "title"),
    [
        (lambda: photo("me.pdf", "application/pdf"), "This is not a photo"),
        (lambda: noise(1000), "This is not a photo"),
        (lambda: noise((20 << 20) + 1), "The photo is too large"),
    ],
    ids=["pdf", "noise", "large"],
)
async def test_files_that_are_refused_at_once(
    server: PortraitServer, file: Callable[[], FilePayload], title: str
) -> None:
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.locator("#file").set_input_files(file())
        await expect(browser.page.get_by_role("alert").get_by_role("heading")).to_have_text(title)
        await expect(browser.page.get_by_text("Choose a photo", exact=True)).to_be_visible()
    assert server.house.maker.orders == []


async def test_what_is_missing_is_asked_for(server: PortraitServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await open_page(browser, server)
        await make(browser)
        await expect(page.get_by_role("alert").get_by_role("heading")).to_have_text("A photo is needed")
        await page.locator("#file").set_input_files(photo())
        await make(browser)
        await expect(page.locator("#name-error")).to_have_text("Give the avatar a name.")
        await expect(page.get_by_label("Name")).to_be_focused()
        await page.get_by_label("Name").fill("Vera")
        await make(browser)
        await expect(page.locator("#consent-error")).to_have_text(re.compile("consent of the person"))
        await expect(page.locator("#consent")).to_be_focused()
        await page.locator("#consent").check()
        await make(browser)
        await expect(page.locator("#name-error")).to_have_text(re.compile("called Vera already"))
        await expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Name").fill("Ana")
        await make(browser)
        await expect_step(browser, "working")
    assert [order.name for order in server.house.maker.orders] == ["Ana"]


async def test_a_double_click_makes_one_draft(server: PortraitServer) -> None:
    async with chromium_page() as browser:
        await open_page(browser, server)
        await fill(browser)
        await browser.page.get_by_role("button", name="Make the avatar").first.dblclick()
        await expect_step(browser, "working")
        await expect(browser.page.locator("#stages [data-now]")).to_have_text("Looking for the face")
        await expect(browser.page.locator("#alert")).to_be_hidden()
    assert len(server.house.maker.orders) == 1


async def test_waiting_says_how_many_are_before(server: PortraitServer) -> None:
    house = server.house
    for name in ("Ben", "Cleo"):
        await house.upload(await house.begin(name))
    async with chromium_page() as browser:
        await open_page(browser, server)
        await fill(browser)
        await make(browser)
        text = browser.page.locator("#working-text")
        await expect(text).to_have_text("Waiting: 2 avatars are made before this one.")
        await browser.page.get_by_role("button", name="Cancel").click()
        await expect(browser.page.get_by_role("heading", name="Your own avatar")).to_be_visible()
        # What was filled in is still there.
        await expect(browser.page.locator("#photo")).to_be_visible()
        await expect(browser.page.get_by_label("Name")).to_have_value("Ana")
    house.maker.gate.set()
    assert "Ana" not in {order.name for order in house.maker.orders}


@pytest.mark.parametrize("gone", [False, True], ids=["before it", "after it"])
async def test_an_answer_that_comes_after_cancelling_changes_nothing(server: PortraitServer, gone: bool) -> None:
    asked, cancelled, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        if route.request.method != "GET":
            await route.continue_()
            return
        answer = None if gone else await route.fetch()
        asked.set()
        await cancelled.wait()
        await route.fulfill(response=answer or await route.fetch())
        told.set()

    async with chromium_page() as browser:
        page = browser.page
        await open_page(browser, server)
        await page.route(re.compile("/v1/portraits/[^/]+$"), late)
        await fill(browser)
        await make(browser)
        await asked.wait()
        await page.get_by_role("button", name="Cancel").click()
        await expect_step(browser, "photo")
        async with asyncio.timeout(20):
            while server.house.maker.working:  # noqa: ASYNC110 (the script has no event)
                await asyncio.sleep(0.01)
        cancelled.set()
        await told.wait()
        # Longer than between two looks at a draft.
        await page.wait_for_timeout(600)
        await expect_step(browser, "photo")
        await expect(page.locator("#alert")).to_be_hidden()


async def test_points_are_moved_by_mouse_and_by_keyboard(server: PortraitServer) -> None:
    maker = server.house.maker
    async with chromium_page() as browser:
        page = browser.page
        await to_points(browser, server)
        await expect(page.get_by_role("heading", name="Please place the points")).to_be_focused()
        points = page.locator("#editor .point")
        await expect(points).to_have_count(15)
        await expect(page.get_by_role("button", name="Left eye, outer corner, uncertain")).to_be_visible()
        chin = page.locator('[data-point="chin"]')
        before = await chin.bounding_box()
        assert before
        middle = (before["x"] + before["width"] / 2, before["y"] + before["height"] / 2)
        # Beside the point, as fingers are: it goes as far as the pointer, and does not jump to it.
        await page.mouse.move(middle[0] + 8, middle[1] + 6)
        await page.mouse.down()
        await expect(page.locator(".loupe")).to_be_visible()
        await page.mouse.move(middle[0] - 32, middle[1] - 14, steps=4)
        await page.mouse.up()
        after = await chin.bounding_box()
        assert after
        assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((-40, -20), abs=1.0)
        await page.get_by_role("button", name="Mouth", exact=True).click()
        await expect(points.locator("visible=true")).to_have_count(6)
        corner = page.get_by_role("button", name="Mouth, left corner")
        await corner.focus()
        for key in ("ArrowRight", "ArrowRight", "Shift+ArrowDown"):
            await corner.press(key)
        await expect(page.locator("#where")).to_have_text(re.compile(r"Mouth, left corner: \d+, \d+"))
        await page.get_by_label("This person wears glasses").check()
        maker.events = [FOUND, Built(PLACES, ())]
        await page.get_by_role("button", name="Make the avatar").click()
        await expect_step(browser, "preview")
        await clean(browser)
    wish = maker.orders[-1].wish
    assert wish.points is not None
    assert wish.glasses is True
    moved = {name for name, place in wish.points.items() if place != PLACES[name]}
    assert moved == {"chin", "mouth_right"}
    assert wish.points["chin"][0] < PLACES["chin"][0] - 5
    assert wish.points["mouth_right"][0] > PLACES["mouth_right"][0]
    assert wish.points["mouth_right"][1] > PLACES["mouth_right"][1]


async def test_a_finger_moves_a_point(server: PortraitServer) -> None:
    async with chromium_page(size=PHONE) as browser:
        page = browser.page
        await to_points(browser, server)
        box = await page.locator('[data-point="chin"]').bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        session = await page.context.new_cdp_session(page)
        for kind, at in (("touchStart", x), ("touchMove", x - 15), ("touchMove", x - 30), ("touchEnd", None)):
            points = [] if at is None else [{"x": at, "y": y}]
            await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        after = await page.locator('[data-point="chin"]').bounding_box()
        assert after
        assert after["x"] - box["x"] == pytest.approx(-30, abs=1.5)
        assert await page.evaluate("() => scrollY") == 0


async def test_points_stay_in_the_photo_and_can_be_reset(server: PortraitServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await to_points(browser, server)
        chin = page.locator('[data-point="chin"]')
        place = await chin.get_attribute("style")
        await chin.focus()
        for _ in range(100):
            await chin.press("Shift+ArrowDown")
        await expect(page.locator("#where")).to_have_text(re.compile(r"Tip of the chin: \d+, 400$"))
        await page.get_by_role("button", name="Reset the points").click()
        assert await chin.get_attribute("style") == place


async def test_points_that_are_refused_are_told_where_they_are_placed(server: PortraitServer) -> None:
    maker = server.house.maker
    async with chromium_page() as browser:
        page = browser.page
        await to_preview(browser, server)
        await page.get_by_role("button", name="Adjust the points").click()
        await expect(page.get_by_role("heading", name="Is everything in its place?")).to_be_visible()
        maker.events = [FOUND, Fault("points_invalid", "the points do not lie as those of a face do")]
        await page.get_by_role("button", name="Make the avatar").click()
        await expect(page.get_by_role("alert").get_by_role("heading")).to_have_text("The points do not fit a face")
        await expect_step(browser, "points")
        await page.get_by_role("button", name="Back").click()
        await expect_step(browser, "preview")
        await expect(page.get_by_role("alert")).to_be_hidden()


async def test_the_page_says_how_faces_are_found_better(server: PortraitServer) -> None:
    server.finds_faces = False
    async with chromium_page() as browser:
        await open_page(browser, server)
        await expect(browser.page.get_by_text("visavis models pull face-landmarks")).to_be_visible()
    server.finds_faces = True
    async with chromium_page() as browser:
        await open_page(browser, server)
        await expect(browser.page.get_by_text("visavis models pull face-landmarks")).to_be_hidden()


async def test_another_voice(server: PortraitServer) -> None:
    async with chromium_page() as browser:
        await to_preview(browser, server)
        choice = browser.page.locator("#preview-voice")
        hear = browser.page.get_by_role("button", name="Hear it")
        await expect(choice).to_have_value("eve")
        await expect(hear).to_be_disabled()
        await choice.select_option("A man’s voice")
        await hear.click()
        await expect_step(browser, "preview")
        await expect(choice).to_have_value("adam")
        await expect(hear).to_be_disabled()
    assert [(order.face, order.voice) for order in server.house.maker.orders] == [(True, "eve"), (False, "adam")]


async def test_a_page_that_is_loaded_anew_goes_on(server: PortraitServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await open_page(browser, server)
        await fill(browser)
        await make(browser)
        await expect_step(browser, "working")
        await page.reload()
        await expect(page.get_by_role("heading", name="Making Ana")).to_be_visible()
        server.house.maker.gate.set()
        await expect_step(browser, "preview")
        await page.reload()
        await expect(page.get_by_role("heading", name="Meet Ana")).to_be_visible()
        await page.get_by_role("button", name="Discard").click()
        await expect_step(browser, "photo")
        await page.reload()
        await expect_step(browser, "photo")
        await clean(browser)
    assert server.house.catalogue.find("Ana") == ()
    assert not list(server.house.folder.glob(".portraits/*/draft-*"))


async def test_a_draft_that_expired(server: PortraitServer) -> None:
    async with chromium_page() as browser:
        await to_preview(browser, server)
        server.house.clock.now += 10_000
        await server.house.workshop.tidy()
        await browser.page.get_by_role("button", name="Save Ana").click()
        await expect(browser.page.get_by_role("alert").get_by_role("heading")).to_have_text("The draft is gone")
        await expect_step(browser, "photo")


async def test_a_refused_draft_that_expired_is_begun_anew(server: PortraitServer) -> None:
    maker = server.house.maker
    maker.events = [Fault("no_face", "no face was found")]
    maker.gate.set()
    async with chromium_page() as browser:
        await open_page(browser, server)
        await fill(browser)
        await make(browser)
        await expect(browser.page.get_by_role("alert")).to_be_visible()
        await expect(browser.page.locator("#photo")).to_be_visible()
        server.house.clock.now += 10_000
        await server.house.workshop.tidy()
        maker.events = [FOUND, Built(PLACES, ())]
        await make(browser)
        await expect_step(browser, "preview")


async def test_a_film_that_cannot_be_played_leaves_the_picture(server: PortraitServer) -> None:
    # What the scripted maker writes is no film.
    server.house.speaker.mute = False
    async with chromium_page() as browser:
        await to_preview(browser, server)
        await expect(browser.page.locator("#poster")).to_be_visible()
        await expect(browser.page.locator("#play")).to_be_hidden()
        await expect(browser.page.get_by_text("AI avatar", exact=True)).to_be_visible()


async def test_a_server_that_is_away(server: PortraitServer) -> None:
    async with chromium_page() as browser:
        await to_preview(browser, server)
        await browser.page.context.set_offline(True)
        await browser.page.get_by_role("button", name="Save Ana").click()
        await expect(browser.page.get_by_role("alert").get_by_role("heading")).to_have_text("No connection")
        await browser.page.context.set_offline(False)
        await browser.page.get_by_role("button", name="Save Ana").click()
        await expect_step(browser, "saved")


async def test_a_picture_from_the_camera(server: PortraitServer) -> None:
    server.house.maker.gate.set()
    async with chromium_page() as browser:
        page = browser.page
        await open_page(browser, server)
        await page.get_by_role("button", name="Use the camera").click()
        await page.get_by_role("button", name="Take the picture").click()
        await expect(page.locator("#photo")).to_be_visible()
        assert await browser.held() == NOTHING
        await page.get_by_label("Name").fill("Ana")
        await page.locator("#consent").check()
        await make(browser)
        await expect_step(browser, "preview")
        await clean(browser)


async def test_no_camera(server: PortraitServer) -> None:
    async with chromium_page(microphone="deny") as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Use the camera").click()
        await expect(browser.page.get_by_role("alert").get_by_role("heading")).to_have_text("The camera cannot be used")


async def test_a_photo_may_be_dropped(server: PortraitServer) -> None:
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.evaluate(
            """async (bytes) => {
              const file = new File([new Uint8Array(bytes)], "me.png", { type: "image/png" });
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(file);
              for (const type of ["dragover", "drop"]) {
                const options = { bubbles: true, cancelable: true, dataTransfer };
                document.querySelector("#drop").dispatchEvent(new DragEvent(type, options));
              }
            }""",
            list(photo()["buffer"]),
        )
        await expect(browser.page.locator("#photo")).to_be_visible()


async def test_a_license_is_asked_for_and_stays_out_of_every_address(tmp_path: Path) -> None:
    async with portrait_server(tmp_path / "avatars", free=False) as server, chromium_page() as browser:
        server.house.speaker.mute = True
        server.house.maker.gate.set()
        page = browser.page
        addresses: list[str] = []
        page.on("request", lambda request: addresses.append(request.url))
        await page.goto(f"{server.url}/avatars/new")
        field = page.get_by_label("License key")
        await field.fill("sk_wrong")
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading", name="This license is not valid")).to_be_visible()
        await field.fill(LICENSE)
        await page.get_by_role("button", name="Continue").click()
        await fill(browser)
        await make(browser)
        await expect_step(browser, "preview")
        await page.get_by_role("button", name="Save Ana").click()
        await expect_step(browser, "saved")
        # It is the license's own, and the link has need of no other.
        assert await page.evaluate("() => sessionStorage.getItem('visavis.license')") == LICENSE
        assert not [address for address in addresses if LICENSE in address or "sk_wrong" in address]


async def test_a_license_that_this_server_does_not_know_is_no_hindrance_where_none_is_needed(
    server: PortraitServer,
) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(f"{server.url}/avatars/new#license=of-before")
        await expect_step(browser, "photo")


async def test_by_keyboard_alone(server: PortraitServer) -> None:
    server.house.maker.gate.set()
    async with chromium_page() as browser:
        page = browser.page
        await open_page(browser, server)
        await page.locator("#file").focus()
        async with page.expect_file_chooser() as opened:
            await page.keyboard.press("Space")
        await (await opened.value).set_files(photo())
        await expect(page.locator("#photo")).to_be_visible()
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("Name")).to_be_focused()
        await page.keyboard.type("Ana")
        await page.keyboard.press("Tab")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Meet Ana")).to_be_focused()
    assert server.house.maker.orders[0].voice == "adam"


async def views(browser: BrowserPage, server: PortraitServer) -> AsyncIterator[str]:
    """All that the page shows, one after the other."""
    page, maker = browser.page, server.house.maker
    await page.goto(f"{server.url}/")
    await expect(page.get_by_role("link", name="Your own")).to_be_visible()
    yield "start"
    await open_page(browser, server)
    yield "empty"
    await make(browser)
    yield "alert"
    await page.get_by_role("button", name="Use the camera").click()
    await expect(page.get_by_role("button", name="Take the picture")).to_be_visible()
    yield "camera"
    await page.get_by_role("button", name="Not now").click()
    await fill(browser, "Ana with a rather long name of sixty letters")
    yield "photo"
    maker.events = [UNSURE]
    await make(browser)
    await expect_step(browser, "working")
    yield "working"
    maker.gate.set()
    await expect_step(browser, "points")
    yield "points"
    await page.get_by_role("button", name="Mouth", exact=True).click()
    await page.get_by_role("button", name="Mouth, left corner").focus()
    await page.keyboard.press("ArrowUp")
    yield "loupe"
    maker.events = [FOUND, Built(PLACES, ("the face is 120 pixels high and will look soft; 250 or more are good",))]
    await page.get_by_role("button", name="Make the avatar").click()
    await expect_step(browser, "preview")
    yield "preview"
    await page.locator("#save").click()
    await expect_step(browser, "saved")
    yield "saved"


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_no_view_has_a_violation(server: PortraitServer, dark: bool, size: tuple[int, int]) -> None:
    async with chromium_page(size=size, dark=dark) as browser:
        seen: dict[str, list[str]] = {}
        async for view in views(browser, server):
            found = (await Axe().run(browser.page)).response["violations"]
            seen[view] = [
                f"{rule['id']}: {rule['help']} {[node['target'] for node in rule['nodes']]}" for rule in found
            ]
        assert len(seen) == 10
        assert {view: found for view, found in seen.items() if found} == {}


@pytest.mark.parametrize("size", [(320, 640), (390, 844), (844, 390), (1280, 800)])
async def test_nothing_sticks_out(server: PortraitServer, size: tuple[int, int]) -> None:
    async with chromium_page(size=size) as browser:
        async for view in views(browser, server):
            assert await browser.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, view
            outside = await browser.page.evaluate(
                """() => [...document.querySelectorAll("main *, header *")]
                  .filter((element) => !element.closest(".light, .unseen, svg, [hidden]"))
                  .filter((element) => {
                    const box = element.getBoundingClientRect();
                    return box.width > 1 && (box.right > innerWidth + 0.5 || box.left < -0.5);
                  })
                  .map((element) => element.id || element.className)"""
            )
            assert outside == [], view


async def test_reduced_motion_moves_nothing(server: PortraitServer) -> None:
    async with chromium_page(reduced_motion=True) as browser:
        await open_page(browser, server)
        await fill(browser)
        await make(browser)
        await expect_step(browser, "working")
        running = "() => document.getAnimations().filter((animation) => animation.playState === 'running').length"
        assert await browser.page.evaluate(running) == 0
