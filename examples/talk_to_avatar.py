"""Asks an avatar in writing, and prints what it says, word by word.

    python examples/talk_to_avatar.py http://127.0.0.1:8000 dev_… "Who are you?"

The license is the one in the address that ``visavis serve`` prints.
"""

import asyncio
import sys

from visavis.client import Call, CallError
from visavis.client.directory import list_avatars


async def listen(call: Call) -> None:
    """Print the avatar's words as they are heard, until it has said all of them."""
    async for event in call.events():
        if event.type == "realtime.response.audio_transcript.delta":
            print(event.text, end="", flush=True)
        elif event.type == "realtime.response.audio.done":
            print()
            return
    raise CallError(str(call.over))


async def main(server: str, license: str, question: str) -> None:
    avatar = (await list_avatars(server, license))[0]
    async with Call(server, license=license, avatar_id=avatar.id) as call:
        await call.wait_ready()
        await call.wait_media()
        # Its greeting; leave this line out for an avatar that has none.
        await listen(call)
        print(f"> {question}")
        await call.send_text(question)
        await listen(call)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: talk_to_avatar.py SERVER LICENSE QUESTION")
    try:
        asyncio.run(main(*sys.argv[1:]))
    except CallError as error:
        sys.exit(f"The call failed: {error}")
