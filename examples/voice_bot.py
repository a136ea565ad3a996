"""A visitor without a microphone: says recordings to an avatar, and keeps what it answers as sound and text.

    python examples/voice_bot.py http://127.0.0.1:8000 dev_… answers.wav question1.wav question2.wav

Questions are WAV files of 16-bit PCM. While one is said, and while it is answered, everything is as in a talk: the
avatar can be spoken over, and takes its turn when the recording has come to its end.
"""

import asyncio
import sys
import wave
from pathlib import Path

from visavis.client import (
    AUDIO_RATE,
    Call,
    CallError,
    Caption,
    Event,
    RecordingError,
    Stream,
    list_avatars,
    read_wav,
)


async def print_captions(events: Stream[Event]) -> None:
    async for event in events:
        match event:
            case Caption(state="final", text=text) if text:
                print(f"{'You' if event.side == 'user' else 'Avatar'}: {text}")


async def keep_sound(call: Call, answers: Path) -> None:
    with wave.open(str(answers), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(AUDIO_RATE)
        async for frame in call.audio():
            file.writeframes(frame.pcm.tobytes())


async def main(server: str, license: str, answers: Path, questions: list[Path]) -> None:
    recordings = [read_wav(path) for path in questions]
    avatar = (await list_avatars(server, license))[0]
    call = Call(server, license=license, avatar_id=avatar.id)
    async with asyncio.TaskGroup() as listening:
        # Both end with the call.
        listening.create_task(print_captions(call.events()))
        async with call:
            listening.create_task(keep_sound(call, answers))
            # It may greet; who asks at once speaks over it.
            await call.idle()
            for recording in recordings:
                await call.ask(recording)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit("usage: voice_bot.py SERVER LICENSE ANSWERS.wav QUESTION.wav…")
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), [Path(path) for path in sys.argv[4:]]))
    except* (CallError, RecordingError, TimeoutError) as group:
        sys.exit(f"The call failed: {group.exceptions[0] or 'no answer'}")
