"""Waits in the queue, comes back to the last conversation where there is one, and lends the avatar a tool.

    python examples/come_back.py http://127.0.0.1:8000 dev_… session.token "How much disk space is free?"

The file keeps the token with which the next run of this program goes on with the same session, for as long as the
server keeps it. It is as good as a key to what was said: keep it as you keep passwords.
"""

import asyncio
import shutil
import sys
from pathlib import Path

from visavis.client import (
    Call,
    CallError,
    ConnectionState,
    Disconnection,
    Event,
    Expiring,
    NoSessionToResumeError,
    Reconnecting,
    Resumed,
    RetryOptions,
    Tool,
    ToolCall,
    list_avatars,
)


async def get_free_disk_space() -> dict[str, str]:
    """What the avatar is told: text, or anything that can be written as JSON."""
    return {"free": f"{shutil.disk_usage('.').free // 10**9} gigabytes"}


TOOLS = [Tool("get_free_disk_space", "Get how much disk space is free on this computer", get_free_disk_space)]


def show(event: Event) -> None:
    match event:
        case ConnectionState(queue_position=int(place)):
            print(f"[{event.percentage_loaded:3} %] waiting, place {place}")
        case ConnectionState():
            print(f"[{event.percentage_loaded:3} %] {event.name}")
        case Resumed():
            for item in event.history:
                print(f"(earlier) {item.role}: {item.text}")
        case ToolCall():
            print(f"(asks for {event.name})")
        case Reconnecting():
            print(f"(the connection was lost: try {event.attempt} of {event.attempts})")
        case Expiring():
            print(f"(it will end in {event.seconds:.0f} s: {event.message})")
        case Disconnection():
            print(f"(over: {event.reason}, {event.message})")
        case _:
            pass


def keep(token: str, kept: Path) -> None:
    """For the eyes of this user alone."""
    kept.touch(0o600)
    kept.write_text(token)


async def talk(server: str, license: str, question: str, token: str, kept: Path) -> None:
    avatar = (await list_avatars(server, license))[0]
    call = Call(
        server,
        license=license,
        avatar_id=avatar.id,
        resume=token,
        retry=RetryOptions(max_retries=3, delay=2.0),
        tools=TOOLS,
        on_event=show,
    )
    try:
        await call.connect()
        keep(call.resume_token, kept)
        print(f"> {question}")
        print(await call.ask(question))
    finally:
        # Not hung up: the session waits for the next run.
        await call.disconnect(keep=True)


def main(server: str, license: str, kept: Path, question: str) -> None:
    token = kept.read_text() if kept.exists() else ""
    try:
        asyncio.run(talk(server, license, question, token, kept))
    except NoSessionToResumeError:
        # Too late, and so a new one.
        kept.unlink()
        asyncio.run(talk(server, license, question, "", kept))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: come_back.py SERVER LICENSE TOKEN_FILE QUESTION")
    try:
        main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    except (CallError, TimeoutError) as error:
        sys.exit(f"The call failed: {error or 'no answer'}")
