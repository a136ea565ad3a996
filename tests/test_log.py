"""Logging: one line for each entry, from us and from libraries, with the session's id and without secrets."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from visavis.log import bind_session, configure_logging, mask_text

SECRET = "hunter2-abcdef"


@pytest.fixture(autouse=True)
def _undisturbed() -> Iterator[None]:
    """Whatever logging was set up around these tests is there again after them."""
    before = {logger: (logger.handlers[:], logger.level, logger.propagate) for logger in loggers()}
    yield
    for logger in loggers():
        handlers, level, logger.propagate = before.get(logger, ([], logging.NOTSET, True))
        logger.handlers[:] = handlers
        logger.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def loggers() -> list[logging.Logger]:
    known = logging.getLogger().manager.loggerDict.values()
    return [logging.getLogger(), *(logger for logger in known if isinstance(logger, logging.Logger))]


def entries(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_own_and_foreign_entries_have_one_shape() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    structlog.get_logger("visavis.test").info("call admitted", slots=3)
    logging.getLogger("uvicorn.access").info("asked %s", "well")
    own, foreign = entries(stream)
    assert (own["event"], own["slots"], own["level"], own["logger"]) == ("call admitted", 3, "info", "visavis.test")
    assert (foreign["event"], foreign["level"], foreign["logger"]) == ("asked well", "info", "uvicorn.access")
    assert set(foreign) == {"event", "level", "logger", "timestamp"}


def test_level_and_quiet_libraries() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    structlog.get_logger().debug("too fine")
    for name in ("aioice.ice", "aiortc.rtcrtpsender", "httpx", "uvicorn.error"):
        logging.getLogger(name).info("every packet")
        logging.getLogger(name).warning("trouble")
    assert [entry["event"] for entry in entries(stream)] == ["trouble"] * 4


async def test_session_id_follows_the_task_and_its_children_only() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    log = structlog.get_logger()

    async def child(name: str) -> None:
        await asyncio.sleep(0)
        log.info(name)
        logging.getLogger("aiortc").warning(name)

    async def session(name: str) -> None:
        bind_session(name)
        await asyncio.create_task(child(name))

    await asyncio.gather(session("one"), session("two"))
    log.info("outside")
    told = entries(stream)
    assert len(told) == 5
    assert all(entry["session"] == entry["event"] for entry in told if entry["event"] != "outside")
    assert "session" not in told[-1]


@pytest.mark.parametrize(
    "text",
    [
        f"GET /wss/v2/realtime-chat?license={SECRET}&name=Ada HTTP/1.1",
        f"/x?name=Ada&license={SECRET}",
        f"https://user:{SECRET}@example.org/v1",
        f"turn?credential={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"header {{'Authorization': 'Bearer {SECRET}'}}",
        f'{{"license": "{SECRET}", "name": "Ada"}}',
        f"{{'api_key': '{SECRET}'}}",
        f"?api_key={SECRET}#x",
        f"?apikey={SECRET}",
        f"?access_token={SECRET} done",
        f"/wss/v2/realtime-chat?name=Ada&token={SECRET}&resume={SECRET}",
        f'{{"sessionId": "1", "resumeToken": "{SECRET}"}}',
        f"no such token: eyJhbGciOiJIUzI1NiJ9.{SECRET}.{SECRET}",
    ],
)
def test_secrets_within_text_are_masked(text: str) -> None:
    masked = mask_text(text)
    assert SECRET not in masked
    assert "***" in masked


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/open/v1/avatar/detail?avatarId=ada HTTP/1.1",
        "license of the shop has 2 calls",
        "http://127.0.0.1:8000/",
        "12:30:10 token limit reached",
        "resume the session, token_id=tok_17",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize("layout", ["json", "console"])
def test_no_entry_shows_a_secret(layout: str) -> None:
    stream = io.StringIO()
    configure_logging("debug", layout, stream)  # type: ignore[arg-type]
    log = structlog.get_logger()
    log.info("tokens", token=SECRET, resume_key=SECRET, resumeToken=SECRET, client_token=SECRET)
    log.info("flat", license=SECRET, api_key=SECRET, Authorization=SECRET, credential=SECRET, apiKey=SECRET)
    log.info("nested", headers={"Authorization": SECRET, "accept": "kept-1"}, servers=[{"credential": SECRET}])
    log.info("object", value=SecretStr(SECRET), error=ValueError(f"bad ?license={SECRET}"))
    logging.getLogger("uvicorn.access").info('"%s %s" %d', "GET", f"/?license={SECRET}", 200)
    logging.getLogger("uvicorn.error").warning('"WebSocket %s" [accepted]', f"/wss?license={SECRET}&name=kept-2")
    try:
        raise RuntimeError(f"no connection to https://u:{SECRET}@example.org")
    except RuntimeError:
        log.exception("ours failed")
        logging.getLogger("asyncio").exception("theirs failed")
    text = stream.getvalue()
    assert SECRET not in text
    assert "kept-1" in text
    assert "kept-2" in text
    assert text.count("RuntimeError") == text.count("no connection") > 0
    assert text.count("Traceback") == 2


def test_json_takes_any_value() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    structlog.get_logger().info("odd", value=object, many={1, 2}, nothing=None)
    (entry,) = entries(stream)
    assert entry["many"] == [1, 2]
    assert entry["nothing"] is None
