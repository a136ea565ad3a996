"""Asks an avatar in writing, prints what it says, and saves it as a film.

    python examples/ask_and_film.py http://127.0.0.1:8000 dev_… "Who are you?" answer.mp4

The license is the one in the address that ``visavis serve`` prints.
"""

import asyncio
import sys
from pathlib import Path

from visavis.client import Call, CallError, Film, FilmError, list_avatars


async def main(server: str, license: str, question: str, saved: Path) -> None:
    avatar = (await list_avatars(server, license))[0]
    film = Film(saved)
    try:
        async with Call(
            server, license=license, avatar_id=avatar.id, on_audio=film.add_audio, on_video=film.add_video
        ) as call:
            print(f"> {question}")
            # A greeting that has not been said yet gives way to the question.
            print(await call.ask(question))
    finally:
        await asyncio.to_thread(film.close)
    print(f"Saved {saved} ({film.seconds:.1f} s).")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: ask_and_film.py SERVER LICENSE QUESTION FILM.mp4")
    try:
        asyncio.run(main(*sys.argv[1:4], Path(sys.argv[4])))
    except (CallError, FilmError, TimeoutError) as error:
        sys.exit(f"The call failed: {error or 'no answer'}")
