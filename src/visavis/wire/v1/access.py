"""Who may ask ``/v1``: the holder of a license key, whose wrong guesses are counted."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from visavis.session.events import Refusal, RefusalKind
from visavis.session.license import License, Licenses
from visavis.session.rate import AttemptLimits, RateLimited
from visavis.wire.v1.answers import license_key, problem

_STATUSES: Final = {
    RefusalKind.INVALID_LICENSE: HTTPStatus.UNAUTHORIZED,
    RefusalKind.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    RefusalKind.UNKNOWN_AVATAR: HTTPStatus.NOT_FOUND,
    RefusalKind.ORIGIN_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    RefusalKind.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
}


def asking_license(request: Request, licenses: Licenses, attempts: AttemptLimits) -> License:
    """The license whose key the request carries; a client token is not enough.

    Raises ``Refusal``: no or a wrong key (which is counted), or too many wrong ones from this address before.
    """
    address = request.client.host if request.client else ""
    attempts.check(address)
    key = license_key(request)
    license = licenses.license(key)
    if license is not None:
        return license
    if not key:
        raise Refusal(
            RefusalKind.INVALID_LICENSE, "A license key is needed, in the header 'Authorization: Bearer KEY'."
        )
    if licenses.authorize(key) is not None:
        raise Refusal(RefusalKind.INVALID_LICENSE, "A client token is not enough here: the license key is needed.")
    if licenses.guessed(key):
        attempts.failed(address)
    raise Refusal(RefusalKind.INVALID_LICENSE, "The license key is not valid.")


def refusal_answer(refusal: Refusal) -> JSONResponse:
    """``{code, message}``, with the HTTP status that fits."""
    response = problem(_STATUSES[refusal.kind], refusal.kind.value, refusal.message)
    if refusal.kind is RefusalKind.INVALID_LICENSE:
        response.headers["www-authenticate"] = "Bearer"
    if isinstance(refusal, RateLimited):
        response.headers["retry-after"] = str(refusal.retry_after)
    return response
