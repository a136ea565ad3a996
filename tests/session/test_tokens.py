"""Client tokens: what is not signed by the license's own key, for this purpose, is no token."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.session.tokens import ClientToken, TokenRequest, issue, read

KEYS = {"lic_1": "sk_first", "lic_2": "sk_second"}
NOW = 1_700_000_000.25


def taken(token: str, now: float = NOW, longest: float = 3600) -> ClientToken | None:
    return read(token, KEYS.get, now, longest)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
    return json.loads(header), json.loads(payload)


def forged(
    change: Callable[[dict[str, Any], dict[str, Any]], None] = lambda header, claims: None,
    key: bytes | None = None,
    digest: str = "sha256",
) -> str:
    """A token of lic_1, changed and then signed with its own right key (or ``key``)."""
    header, claims = parts(issue(KEYS["lic_1"], "lic_1", TokenRequest(), NOW).token)
    change(header, claims)
    return signed(json.dumps(header), json.dumps(claims), key, digest)


def signed(header: str, claims: str, key: bytes | None = None, digest: str = "sha256") -> str:
    text = base64url(header.encode()) + "." + base64url(claims.encode())
    key = key or hmac.digest(b"sk_first", b"visavis client token 1", "sha256")
    return text + "." + base64url(hmac.digest(key, text.encode(), digest)[:32])


def with_claims(**changed: Any) -> str:
    return forged(lambda header, claims: claims.update(changed))


def with_header(**changed: Any) -> str:
    return forged(lambda header, claims: header.update(changed))


def test_what_was_issued_is_read() -> None:
    issued = issue("sk_first", "lic_1", TokenRequest("vera", "https://a.example", 30, 2, 90), NOW)
    assert taken(issued.token) == ClientToken(issued.id, "lic_1", "vera", "https://a.example", 2, 90)
    assert issued.expires_at.isoformat() == "2023-11-14T22:13:50.250000+00:00"


def test_a_token_tells_neither_key_nor_more_than_its_limits() -> None:
    header, claims = parts(issue("sk_first", "lic_1", TokenRequest(avatar_id="vera"), NOW).token)
    assert header == {"alg": "HS256", "kid": "lic_1", "typ": "visavis-client+jwt"}
    assert set(claims) == {"jti", "iat", "exp", "avatar"}


def test_the_forger_of_these_tests_can_make_a_good_token() -> None:
    assert taken(forged())
    assert taken(with_claims(sessions=3, duration=7)) is not None


@pytest.mark.parametrize(
    "token",
    [
        with_header(alg="none"),
        with_header(alg="None"),
        with_header(alg="HS384"),
        with_header(alg="RS256"),
        with_header(alg=["HS256"]),
        with_header(typ="JWT"),
        forged(lambda header, claims: header.pop("typ")),
        with_header(kid="lic_2"),
        with_header(kid="lic_3"),
        with_header(kid=7),
        with_header(kid={"lic_1": 1}),
        forged(lambda header, claims: header.pop("kid")),
        with_header(crit=["exp"]),
        forged(key=b"sk_first"),
        forged(key=hashlib.sha256(b"sk_first").digest()),
        forged(key=hmac.digest(b"sk_second", b"visavis client token 1", "sha256")),
        forged(digest="sha512"),
    ],
)
def test_headers_and_keys_that_are_not_ours(token: str) -> None:
    assert taken(token) is None


@pytest.mark.parametrize("missing", ["jti", "iat", "exp"])
def test_claims_that_are_missing(missing: str) -> None:
    assert taken(forged(lambda header, claims: claims.pop(missing))) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": "never"},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": None},
        {"iat": NOW + 61},
        {"iat": "0"},
        {"iat": float("-inf")},
        {"jti": ""},
        {"jti": 5},
        {"sessions": 0},
        {"sessions": "many"},
        {"sessions": True},
        {"duration": 0},
        {"duration": float("inf")},
        {"avatar": ["vera"]},
        {"origin": 1},
        {"a limit of a later version": 1},
        {"nbf": NOW + 10},
    ],
)
def test_claims_that_are_wrong(claims: Mapping[str, Any]) -> None:
    assert taken(with_claims(**claims)) is None


def test_its_time() -> None:
    token = issue("sk_first", "lic_1", TokenRequest(lifetime=30), NOW).token
    # The server that made it may be a minute ahead of the one that takes it.
    assert taken(token, NOW - 59)
    assert taken(token, NOW - 61) is None
    assert taken(token, NOW + 29.99)
    assert taken(token, NOW + 30) is None
    assert taken(token, longest=30)
    assert taken(token, longest=29) is None


def test_every_changed_character_is_noticed() -> None:
    token = issue("sk_first", "lic_1", TokenRequest("vera"), NOW).token
    # All but the last one: it has two bits that base64 does not use.
    for at in range(len(token) - 1):
        other = "A" if token[at] != "A" else "B"
        assert taken(token[:at] + other + token[at + 1 :]) is None, at


def test_unsigned_tokens_as_libraries_make_them() -> None:
    _, claims = parts(issue("sk_first", "lic_1", TokenRequest(), NOW).token)
    unsigned = jwt.encode(claims, "", "none", headers={"kid": "lic_1", "typ": "visavis-client+jwt"})
    assert taken(unsigned) is None
    assert taken(unsigned + "A" * 43) is None


def test_nothing_is_too_odd_to_be_refused() -> None:
    good = forged()
    header, payload, signature = good.split(".")
    for odd in (
        "",
        ".",
        "..",
        good + "\n",
        good + "é",
        good + "\ud800",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature}.{signature}",
        signed(json.dumps(parts(good)[0]), "[" * 3000),
        signed("[" * 380, "{}"),
        f"{base64url(b'[1]')}.{payload}.{signature}",
        f"{base64url(bytes(range(256)))}.{payload}.{signature}",
        "A" * 1_000_000,
        f"{header}.{'A' * 1_000_000}.{signature}",
    ):
        assert taken(odd) is None


@given(
    st.lists(st.binary(max_size=80) | st.just(b'{"alg":"HS256","kid":"lic_1","typ":"visavis-client+jwt"}'), max_size=4)
)
def test_noise_is_no_token(noise: list[bytes]) -> None:
    assert taken(".".join(map(base64url, noise))) is None


@given(
    st.builds(
        TokenRequest,
        avatar_id=st.none() | st.text(st.characters(codec="utf-8"), max_size=100),
        origin=st.none() | st.just("https://a.example"),
        lifetime=st.none() | st.floats(1, 3600),
        max_sessions=st.none() | st.integers(1, 10**6),
        max_duration=st.none() | st.floats(0.001, 1e6),
    )
)
def test_every_request_comes_back(request: TokenRequest) -> None:
    token = taken(issue("sk_first", "lic_1", request, NOW).token)
    assert token is not None
    assert (token.avatar_id, token.origin) == (request.avatar_id, request.origin)
    assert (token.max_sessions, token.max_duration) == (request.max_sessions, request.max_duration)
