"""Licenses stay out of the web server's log lines."""

import logging

import pytest

from visavis.wire.redaction import RedactQueries, redact_logs, redact_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/wss/v2/realtime-chat", "/wss/v2/realtime-chat"),
        ("/c?license=sk_1&name=Mira+Lane", "/c?license=***&name=Mira+Lane"),
        ("/c?avatarId=7&LICENSE=sk_1", "/c?avatarId=7&LICENSE=***"),
        ("/c?l%69cense=sk_1&model=m", "/c?l%69cense=***&model=m"),
        ("/c?a=1;license=sk_1", "/c?a=***&license=***"),
        ("/c?sk_1", "/c?***"),
        ("/c?instructions=private", "/c?instructions=***"),
        ("/c?token=eyJ.a.b&name=m&resume=key_1", "/c?token=***&name=m&resume=***"),
        ("/c?license=a?license=b", "/c?license=***"),
        ("/c?", "/c?"),
        ('1.2.3.4:5 - "GET /c?license=sk_1 HTTP/1.1" 200', '1.2.3.4:5 - "GET /c?license=*** HTTP/1.1" 200'),
        ('"GET /a?license=x" then "GET /b?license=y&name=z"', '"GET /a?license=***" then "GET /b?license=***&name=z"'),
    ],
)
def test_only_harmless_parameters_are_shown(text: str, expected: str) -> None:
    assert redact_query(text) == expected


def test_the_filter_masks_arguments_and_messages(caplog: pytest.LogCaptureFixture) -> None:
    redact_logs()
    redact_logs()
    logger = logging.getLogger("uvicorn.error")
    assert sum(isinstance(present, RedactQueries) for present in logger.filters) == 1
    with caplog.at_level("INFO"):
        logger.info('%s - "WebSocket %s" [accepted]', "1.2.3.4:5", "/c?license=sk_1&name=m")
        logger.info("GET /c?license=sk_1")
        logger.info("%d connections", 3)
    assert caplog.messages == [
        '1.2.3.4:5 - "WebSocket /c?license=***&name=m" [accepted]',
        "GET /c?license=***",
        "3 connections",
    ]
