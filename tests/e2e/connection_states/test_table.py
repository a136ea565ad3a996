"""The documentation's tables are what the tests show; each name is reached, and each cause has its tests."""

import pytest

from tests.e2e.connection_states.causes import CAUSES, JAVASCRIPT, PYTHON, Client, Kind
from tests.e2e.connection_states.tables import PAGE, causes_shown, page_with_tables

NAMES = {
    Kind.STATE: {
        "Disconnected",
        "SearchingForDigitalPerson",
        "DownloadingAssets",
        "ConnectingToDigitalPerson",
        "Connected",
    },
    Kind.ERROR: {
        "noUserMedia",
        "noScene",
        "serverConnectionFailed",
        "notSupported",
        "mediaStreamFailed",
        "sessionTimeout",
        "controlFailed",
        "noSessionToResume",
    },
    Kind.REASON: {"sessionTimeout", "conversationEnded", "controlDisconnected", "normal"},
}
"""What an app may be told, all of it."""


@pytest.mark.parametrize("kind", Kind)
def test_each_name_is_reached_in_a_browser(kind: Kind) -> None:
    assert {cause.name for cause in CAUSES if cause.kind is kind} == NAMES[kind]
    shown = {what for client, what in causes_shown() if client is JAVASCRIPT}
    assert {cause.name for cause in CAUSES if cause.kind is kind and cause.what in shown} == NAMES[kind]


@pytest.mark.parametrize("client", Client)
def test_each_cause_has_its_tests(client: Client) -> None:
    shown = {what for known, what in causes_shown() if known is client}
    claimed = {cause.what for cause in CAUSES if client in cause.clients}
    assert shown == claimed, f"left without a test: {sorted(claimed - shown)}"


def test_each_cause_is_shown_by_somebody() -> None:
    assert all({JAVASCRIPT, PYTHON} & set(cause.clients) for cause in CAUSES)


def test_the_page_has_these_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_tables(page, causes_shown()), "run: python -m tests.e2e.connection_states.tables"
