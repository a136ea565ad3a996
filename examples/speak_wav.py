"""Says a recording to an avatar, and saves what it showed and said as a film.

    python examples/speak_wav.py http://127.0.0.1:8000 dev_… question.wav answer.mp4

The recording is a WAV file of 16-bit PCM.
"""

import asyncio
import sys
from pathlib import Path

import numpy as np

from visavis.client import MICROPHONE_RATE, Call, CallError, pace
from visavis.client.directory import list_avatars
from visavis.client.film import Film, FilmError
from visavis.client.recording import RecordingError, read_wav

HEARD = "realtime.conversation.item.input_audio_transcription.completed"
SILENCE = np.zeros(2 * MICROPHONE_RATE, np.int16)


async def main(server: str, license: str, recording: Path, saved: Path) -> None:
    speech = read_wav(recording)
    avatar = (await list_avatars(server, license))[0]
    film = Film(saved)
    try:
        async with Call(
            server, license=license, avatar_id=avatar.id, on_audio=film.add_audio, on_video=film.add_video
        ) as call:
            await call.wait_ready()
            await call.wait_media()
            # The silence after it is how the server finds the end of the turn.
            async for piece in pace(np.concatenate((speech, SILENCE))):
                await call.send_audio(piece)
            understood = False
            async for event in call.events():
                # What ended before was the greeting.
                if event.type == HEARD:
                    print(f"You: {event.text}")
                    understood = True
                elif event.type == "realtime.response.audio_transcript.done" and understood:
                    print(f"{avatar.name}: {event.text}")
                elif event.type == "realtime.response.audio.done" and understood:
                    break
    finally:
        await asyncio.to_thread(film.close)
    print(f"Saved {saved} ({film.seconds:.1f} s).")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: speak_wav.py SERVER LICENSE RECORDING.wav FILM.mp4")
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])))
    except (CallError, FilmError, RecordingError) as error:
        sys.exit(f"The call failed: {error}")
