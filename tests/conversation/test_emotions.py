"""What the face is told of an answer besides its shapes: feelings, stresses, weights, and the visitor's pauses."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest

from tests.conversation.theatre import Theatre, perform
from tests.virtual_time import run_virtual
from visavis.avatar.emotion import Emotion, Feeling
from visavis.blendshape import ARKIT, ARKIT_INDEX, ArkitFrame
from visavis.conversation.events import AnswerDelta, AnswerDone, SpeechStopped
from visavis.conversation.parts import ConversationSettings, Role
from visavis.conversation.snapshot import Snapshot
from visavis.language.ports import ChatMessage, ToolCall
from visavis.speech.ports import SPEECH_RATE, SpeechChunk, Voice
from visavis.viseme import TimedViseme, Viseme

HAPPY, SAD, CALM = Feeling(Emotion.HAPPY), Feeling(Emotion.SAD, 0.6), Feeling()
STORY = "One two three four five six seven eight nine ten."


class Watched:
    """What the face was told; times on the media clock, ``when``: the loop time at which it was told."""

    def __init__(self, theatre: Theatre) -> None:
        self.feelings: list[tuple[Feeling, float]] = []
        self.heard: list[tuple[bool, float]] = []
        self.stressed: list[float] = []
        self.followed: list[ArkitFrame] = []
        self.shapes: list[TimedViseme] = []
        self.told: list[float] = []
        animator = theatre.animator
        feel, hear, stress, follow, speak = (
            animator.feel, animator.hear, animator.stress, animator.follow, animator.speak
        )  # fmt: skip

        def felt(feeling: Feeling, at: float) -> None:
            self.feelings.append((feeling, at))
            feel(feeling, at)

        def heard(speaking: bool, at: float) -> None:
            self.heard.append((speaking, at))
            hear(speaking, at)

        def stressed(times: Sequence[float]) -> None:
            self.stressed += times
            self.told += [theatre.clock.now()] * len(times)
            stress(times)

        def followed(frames: Sequence[ArkitFrame]) -> None:
            self.followed += frames
            follow(frames)

        def spoken(visemes: Sequence[TimedViseme]) -> None:
            self.shapes += visemes
            speak(visemes)

        animator.feel, animator.hear, animator.stress = felt, heard, stressed  # type: ignore[method-assign]
        animator.follow, animator.speak = followed, spoken  # type: ignore[method-assign]


def words_of(theatre: Theatre) -> list[tuple[str, float]]:
    return [(event.text.strip(), at) for at, event in theatre.events if isinstance(event, AnswerDelta)]


def test_a_feeling_begins_with_the_word_behind_its_mark_and_is_never_told() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        theatre.model.script.append(["[hap", "py] Good morn", "ing! I must go [sad", " 0.6] now. [neu", "tral]"])
        theatre.conversation.send_text("hello")
        await asyncio.sleep(4)
        theatre.model.script.append(["Bye."])
        theatre.conversation.send_text("bye")
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act))
    (watched,) = seen
    assert theatre.voice.said[:2] == ["Good morning!", "I must go now."]
    assert theatre.caption == "Good morning! I must go now.Bye."
    assert theatre.of(AnswerDone)[0].text == "Good morning! I must go now."  # type: ignore[union-attr]
    # Loop time and media time differ by a constant.
    starts = words_of(theatre)
    begin = starts[0][1] - watched.feelings[0][1]
    assert [feeling for feeling, _ in watched.feelings] == [HAPPY, SAD, CALM]
    sounded = [at + begin for _, at in watched.feelings]
    assert sounded[0] == pytest.approx(starts[0][1], abs=0.03)
    assert sounded[1] == pytest.approx(next(at for word, at in starts if word == "now."), abs=0.03)
    assert sounded[2] == pytest.approx(starts[5][1] + theatre.voice.WORD, abs=0.05)
    # The model gets to see its marks, so that it goes on using them; nobody else does.
    assert theatre.model.taught == [True, True]
    assert theatre.model.requests[1].messages == (
        ChatMessage("user", "hello"),
        ChatMessage("assistant", "[happy] Good morning! I must go [sad 0.6] now."),
        ChatMessage("user", "bye"),
    )
    assert theatre.changes[-1].items[1].text == "Good morning! I must go now."


def test_where_the_voice_gives_no_marks_of_words_feelings_go_by_their_place() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        theatre.voice.marks = False
        theatre.model.script.append(["A longer sentence that takes [happy] a while to say."])
        theatre.conversation.send_text("go")
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act))
    ((feeling, at),) = seen[0].feelings
    assert feeling == HAPPY
    assert 1.0 < at - seen[0].shapes[0].start < 2.5
    assert theatre.caption == "A longer sentence that takes a while to say."


def test_an_interruption_drops_the_feelings_to_come_and_a_cough_brings_them_back() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        theatre.model.script.append([f"[sad 0.6] {STORY} [happy] The end, my friend."])
        theatre.conversation.send_text("a story")
        await asyncio.sleep(1.2)
        await theatre.user_says("", seconds=0.4)
        await asyncio.sleep(8)

    theatre = run_virtual(perform(act))
    assert theatre.figures.interruptions == 1
    feelings = [feeling for feeling, _ in seen[0].feelings]
    # What was said sadly goes on sadly.
    assert feelings == [SAD, HAPPY, SAD, HAPPY]
    kept = theatre.changes[-1].items
    assert next(item.text for item in kept if item.role == "assistant") in f"{STORY} The end, my friend."
    assert kept[-1].text.endswith("The end, my friend.")
    assert kept[-1].marked.startswith("[sad 0.6] ")
    assert "[happy] The end" in kept[-1].marked


def test_the_face_does_not_show_what_was_cut_off() -> None:
    smiles: list[float] = []

    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([f"{STORY} [happy] The end, my friend."])
        theatre.conversation.send_text("a story")
        await asyncio.sleep(1.2)
        theatre.conversation.interrupt()
        smile = ARKIT_INDEX["mouthSmileLeft"]
        for _ in range(200):
            await asyncio.sleep(0.04)
            smiles.append(float(theatre.animator.frame(theatre.clock.now()).arkit[smile]))

    theatre = run_virtual(perform(act))
    assert max(smiles) < 0.4
    assert "[" not in theatre.caption


def test_a_feeling_of_a_line_that_was_still_being_made_goes_with_it() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        synthesize = theatre.voice.synthesize

        async def slowly(text: str, voice: Voice) -> AsyncIterator[SpeechChunk]:
            async with aclosing(synthesize(text, voice)) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    yield chunk
                    await asyncio.sleep(0.4)

        theatre.voice.synthesize = slowly  # type: ignore[method-assign]
        theatre.conversation.begin()
        theatre.model.script.append(["[happy] Once upon a time there was a king [sad] who died."])
        theatre.conversation.send_text("a story")
        await asyncio.sleep(1.2)
        theatre.conversation.interrupt()
        await asyncio.sleep(2)

    run_virtual(perform(act))
    assert [feeling for feeling, _ in seen[0].feelings] == [HAPPY]


def test_an_answer_of_a_feeling_alone_is_shown() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        theatre.model.script.append(["[amused]"])
        theatre.conversation.send_text("ha")
        await asyncio.sleep(1)

    theatre = run_virtual(perform(act))
    assert [feeling for feeling, _ in seen[0].feelings] == [Feeling(Emotion.AMUSED)]
    assert theatre.voice.said == []


def test_a_greeting_may_have_marks() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act, Role(greeting="[happy] Hello {{name}}! Sit down.")))
    assert theatre.caption == "Hello! Sit down."
    assert [feeling for feeling, _ in seen[0].feelings] == [HAPPY]


def test_who_comes_back_meets_a_model_that_knows_its_marks() -> None:
    said = ChatMessage("assistant", "Hello!", marked="[happy] Hello!")

    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.send_text("again")
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act, restored=Snapshot((ChatMessage("user", "hi"), said), greeted=True)))
    assert theatre.model.requests[0].messages[1] == ChatMessage("assistant", "[happy] Hello!")
    assert theatre.changes[-1].items[1] == said


def test_marks_stand_before_a_tool_call_in_the_history() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append(["[happy] One moment.", ToolCall("call_1", "look_up", "{}")])
        theatre.conversation.send_text("look")
        await asyncio.sleep(2)
        theatre.conversation.add_result("call_1", "[happy] 21", reply=True)
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act))
    said, called, result = theatre.model.requests[1].messages[1:4]
    assert said.text == "[happy] One moment."
    assert called.tool_calls
    assert result.text == "[happy] 21"


def test_without_emotions_nothing_is_taught_shown_or_spoken() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        theatre.model.script.append(["[happy] Good morning."])
        theatre.conversation.send_text("hello")
        await asyncio.sleep(2)
        theatre.conversation.send_text("more")
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act, settings=ConversationSettings(emotions=False)))
    assert theatre.model.taught == [False, False]
    assert theatre.model.requests[1].messages[1].text == "Good morning."
    assert theatre.caption.startswith("Good morning.")
    assert seen[0].feelings == []


def test_a_feeling_that_the_client_chose_gives_way_to_an_answers_own() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        theatre.model.script.append(["One two three four [happy] five."])
        theatre.conversation.send_text("go")
        await asyncio.sleep(0.5)
        theatre.stage.feel(SAD)
        assert seen[0].feelings[-1] == (SAD, theatre.clock.now())
        await asyncio.sleep(2)
        smile, frown = (ARKIT_INDEX[name] for name in ("mouthSmileLeft", "mouthFrownLeft"))
        face = theatre.animator.frame(theatre.clock.now()).arkit
        assert face[smile] > face[frown]

    run_virtual(perform(act))
    (own, due), (chosen, at) = seen[0].feelings
    assert (own, chosen) == (HAPPY, SAD)
    assert at < due


def test_the_visitor_is_heard_speaking_and_pausing() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        theatre.turns.seconds = 0.9
        await theatre.microphone(0.6, loud=True)
        await theatre.microphone(0.1, loud=False)  # a stop consonant is no pause
        await theatre.microphone(0.6, loud=True)
        await theatre.microphone(0.4, loud=False)
        await theatre.microphone(0.6, loud=True)
        await theatre.microphone(1.4, loud=False)

    theatre = run_virtual(perform(act))
    assert [speaking for speaking, _ in seen[0].heard] == [True, False, True, False]
    times = [at for _, at in seen[0].heard]
    assert times == pytest.approx([0.1, 1.5, 1.7, 2.5], abs=0.1)
    assert theatre.when(SpeechStopped) - theatre.events[0][0] > 2.5


def test_a_turn_that_ends_by_itself_ends_in_a_pause() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        await theatre.microphone(0.5, loud=True)
        theatre.conversation.commit_audio()
        await theatre.microphone(0.5, loud=True)
        await theatre.conversation.clear_audio()
        await asyncio.sleep(0.5)

    run_virtual(perform(act))
    assert [speaking for speaking, _ in seen[0].heard] == [True, False, True, False]


def test_stresses_fall_on_words_that_carry_meaning() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation.begin()
        theatre.model.script.append(["It is in the garden of my sister. And there was nobody at home."])
        theatre.conversation.send_text("where")
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act))
    (watched,) = seen
    words = words_of(theatre)
    begin = watched.shapes[0].start
    sounded = {word: begin + at - words[0][1] for word, at in words}
    stressed = [sounded[word] for word in ("garden", "sister.", "nobody", "home.")]
    assert watched.stressed == pytest.approx(stressed, abs=0.05)
    assert all(told < at for told, at in zip(watched.told, watched.stressed, strict=True))


class Puppeteer:
    """A provider that gives the whole face's weights, and shapes beside them for some of its sound."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[SpeechChunk]:
        half = SPEECH_RATE // 2
        tone = (6000 * np.sin(np.arange(half) * 0.05)).astype(np.int16)
        weights = np.zeros(len(ARKIT), np.float32)
        weights[ARKIT_INDEX["jawOpen"]] = 0.5
        frames = tuple(ArkitFrame(at / 25, weights) for at in range(12))
        shape = TimedViseme(Viseme.AA, 0.0, 0.5)
        silence = np.zeros(SPEECH_RATE // 4, np.int16)
        yield SpeechChunk(np.concatenate((silence, tone)), (shape,), arkit=(*frames, ArkitFrame(0.6, weights)))
        yield SpeechChunk(tone, (shape,))


def test_weights_go_before_shapes_and_keep_their_place_in_the_sound() -> None:
    seen: list[Watched] = []

    async def act(theatre: Theatre) -> None:
        seen.append(Watched(theatre))
        theatre.conversation._parts = replace(theatre.conversation._parts, synthesizer=Puppeteer())
        theatre.conversation.begin()
        theatre.conversation.send_text("go")
        await asyncio.sleep(3)

    run_virtual(perform(act))
    (watched,) = seen
    assert len(watched.followed) == 13
    (shape,) = watched.shapes
    # The silence that the first chunk began with was left out, but for 20 ms; half a second of sound is left of it.
    start = shape.start - 0.52
    assert watched.followed[0].at == pytest.approx(start - 0.23, abs=0.01)
    assert watched.followed[-1].at == pytest.approx(start - 0.23 + 0.6, abs=0.01)
    assert all(frame.weights[ARKIT_INDEX["jawOpen"]] == 0.5 for frame in watched.followed)
