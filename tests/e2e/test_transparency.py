"""Transparency mode: the avatar says the sound that is pushed, and nothing else."""

import asyncio
import base64

import numpy as np
import pytest

from tests.e2e.conftest import visit
from tests.e2e.voices import spoken
from visavis.bench.server_process import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_pushed_speech_is_heard_whole_and_never_answered(server: ServerProcess) -> None:
    (speech,) = await spoken(("en-us+f3", "These are exactly the words that I was given."))
    async with visit(server, model="transparency") as visitor:
        # The unwrapped forms of the documented example, much faster than real time.
        data = speech.astype("<i2").tobytes()
        for start in range(0, len(data), 9600):
            audio = base64.b64encode(data[start : start + 9600]).decode()
            await visitor.call.send({"type": "input_audio_buffer.append", "audio": audio})
        await visitor.call.send({"type": "input_audio_buffer.commit"})
        assert await visitor.until(lambda: visitor.events[-1].type == "realtime.response.audio.done", 15)
        await visitor.quiet(1.0)
        heard = [at for at, level in visitor.sound if level > 300]
        assert heard[-1] - heard[0] == pytest.approx(len(speech) / 24_000, abs=0.25)
        kinds = {event.type for event in visitor.events}
        assert not kinds & {
            "realtime.input_audio_buffer.speech_started",
            "realtime.response.audio_transcript.delta",
            "realtime.conversation.item.input_audio_transcription.completed",
        }


async def test_clear_silences_at_once(server: ServerProcess) -> None:
    (speech,) = await spoken(("en-us", "This is a rather long sentence that is going to be cut off halfway through."))
    async with visit(server, model="transparency") as visitor:
        await visitor.call.send_audio(np.concatenate((speech, speech)))
        assert await visitor.until(lambda: visitor.heard_since(0.0) is not None, 5)
        await asyncio.sleep(0.5)
        start = asyncio.get_running_loop().time()
        await visitor.call.send({"type": "realtime.input_audio_buffer.clear", "data": {}})
        await visitor.quiet(1.0)
        last = visitor.last_heard()
        assert last is not None
        assert last - start < 0.5
        assert visitor.events[-1].type == "realtime.response.audio.done"
