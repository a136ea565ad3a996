"""Tests in real time, on machines that may be busy with other things."""

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec

Parameters = ParamSpec("Parameters")

_ATTEMPTS = 3


def up_to_three_times(test: Callable[Parameters, Awaitable[None]]) -> Callable[Parameters, Awaitable[None]]:
    """Only what fails three times in a row is the code's fault and not the machine's."""

    @functools.wraps(test)
    async def attempts(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        for _ in range(_ATTEMPTS - 1):
            try:
                await test(*args, **kwargs)
            except AssertionError as error:
                print(f"once more, as this may have been the machine's fault: {error}")
            else:
                return
        await test(*args, **kwargs)

    return attempts
