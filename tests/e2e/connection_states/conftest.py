"""A test that claims to show a cause must have seen it."""

from collections.abc import Iterator

import pytest

from tests.e2e.connection_states import causes


@pytest.fixture(autouse=True)
def claims_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that passes without having checked all that it says to show."""
    causes.checked.clear()
    yield
    claimed = causes.shown_by(request.function)
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if "cause" in parameters:
        claimed = [(client, cause) for client, cause in claimed if cause is parameters["cause"]]
        assert claimed, "the test does not say that it shows this cause"
    report = request.node.stash.get(_REPORT, None)
    if report is None or report.passed:
        left = [cause.what for client, cause in claimed if (client, cause) not in causes.checked]
        assert not left, f"claimed, and not shown: {left}"


_REPORT = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield
    if report.when == "call":
        item.stash[_REPORT] = report
    return report
