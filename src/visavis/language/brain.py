"""The embedded ChatModel: a persona that talks about what it knows, and says so when it does not.

No generative model: answers are the author's own sentences, found by ``retrieval``; small talk, tools and honest
refusals stand around them. See ``docs/language.md`` for all it can and cannot do.
"""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Final

import structlog

from visavis.language import other_languages
from visavis.language.emotion_markup import unmarked
from visavis.language.history import History, is_heard_part
from visavis.language.knowledge import Entry, Knowledge
from visavis.language.minilm import SentenceEncoder
from visavis.language.ports import ChatEvent, ChatRequest, TextDelta, Tool, ToolCall, ToolCallDelta
from visavis.language.retrieval import Index, Match
from visavis.language.small_talk import (
    FUNCTIONAL,
    REPLIES,
    Intent,
    addressed,
    misheard_small_talk,
    plain,
    small_talk,
    told_name,
    wants_to_part,
    without_fillers,
)
from visavis.language.tool_arguments import direct, fill, properties
from visavis.language.tool_choice import (
    SURE,
    Choice,
    asked_for,
    choose,
    complete,
    ends_conversation,
    question,
    request_words,
)
from visavis.language.tool_results import DONE, say_result
from visavis.language.words import content_words

log = structlog.get_logger(__name__)

_BY_HEART: Final = 0.8
"""A score of an entry that comes before small talk: the visitor said nearly what the author foresaw."""
_DID_YOU_MEAN: Final = "I am not sure that I understood you. Did you mean: {question}"
_TOPICS: Final = 3

Answer = list[ChatEvent]


class PersonaBrain:
    """A persona bound to its knowledge. One instance serves all conversations with that avatar: it keeps no state.

    An encoder makes it understand questions whose words the author did not foresee; ``start`` teaches it the
    knowledge, and until that is done words alone decide.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        *,
        name: str = "",
        encoder: SentenceEncoder | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """Bind the persona.

        Args:
            knowledge: what it talks about.
            name: what it calls itself; of a name like ``house.Vera`` the last part.
            encoder: e.g. ``MiniLm``; without it questions are found by their words.
            now: the clock, with the time zone that is to be told; the machine's by default.
        """
        self._knowledge = knowledge
        self._name = name.rpartition(".")[2].strip()
        self._encoder = encoder
        self._learnt = False
        self._closed = False
        self._learning: asyncio.Task[None] | None = None
        self._now = now or (lambda: datetime.now().astimezone())
        self._index = Index(
            [
                ((entry.question, *entry.phrasings), " ".join((*entry.answers, *entry.more)))
                for entry in knowledge.entries
            ]
        )

    @property
    def accepts_images(self) -> bool:
        """False: it cannot see, and says so when a picture is all it is asked about."""
        return False

    async def start(self) -> None:
        """Let the encoder learn the knowledge (in a thread; seconds). Nothing to do without an encoder.

        Where it was not called, the first question begins it in the background.
        """
        if self._encoder is not None:
            if self._learning is None:
                self._learning = asyncio.create_task(self._learn(self._encoder))
            await asyncio.shield(self._learning)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """Answer; see ``ChatModel.stream``. Never raises ``ChatError``."""
        if self._encoder is not None and self._learning is None:
            self._learning = asyncio.create_task(self._learn(self._encoder))
        for event in await self._answer(request):
            yield event

    async def check(self) -> None:
        """See ``ChatModel``: it is always there."""

    async def close(self) -> None:
        """Stop the encoder, where it still learns. Idempotent."""
        self._closed = True
        if self._learning is not None:
            await asyncio.wait([self._learning])

    async def _learn(self, encoder: SentenceEncoder) -> None:
        try:
            self._learnt = await asyncio.to_thread(self._index.learn, encoder, lambda: self._closed)
        except Exception:
            log.exception("the encoder failed; questions are found by their words alone")

    async def _answer(self, request: ChatRequest) -> Answer:
        history = History.of(request)
        last = history.last
        if last is None or last.role == "assistant":
            late = self._late_results(history)
            return [_say(late or self._scripted(history, "go_on" if history.answers else "greeting"))]
        if last.role == "tool":
            return self._tool_result(history)
        if last.images and len(content_words(last.text)) < 1:
            return [_say(self._scripted(history, "picture"))]
        if not last.text.strip():
            return [_say(self._scripted(history, "repeat"))]
        if not other_languages.is_english(request.language) or other_languages.guess(last.text):
            language = other_languages.guess(last.text) or request.language
            told = other_languages.notice(language) or REPLIES["english_only"][0]
            if other_languages.guess(last.text):
                if any(told == unmarked(said) for said in history.answers):
                    told = REPLIES["english_only"][0]
                return [_say(told)]
            answer = await self._to_user(history, request)
            already = any(unmarked(told) in unmarked(said) for said in history.answers)
            return answer if already else [_say(f"{told}\n"), *answer]
        return await self._to_user(history, request)

    def _tool_result(self, history: History) -> Answer:
        """Speak about the results that came last; nothing is left to say after the conversation was ended."""
        names = history.tool_names
        outputs: list[str] = []
        for message in reversed(history.messages):
            if message.role != "tool":
                break
            if not ends_conversation(names.get(message.call_id, "")):
                outputs.insert(0, message.text)
        return [_say(" ".join(dict.fromkeys(say_result(output) for output in outputs)))] if outputs else []

    def _late_results(self, history: History) -> str:
        """What came back from tools, stands before the last answer in the history, and was not told yet."""
        names = history.tool_names
        told = [plain(answer) for answer in history.answers]
        results = [
            say_result(message.text)
            for message in history.messages
            if message.role == "tool" and not ends_conversation(names.get(message.call_id, ""))
        ]
        return next((result for result in reversed(results) if result != DONE and plain(result) not in told), "")

    async def _to_user(self, history: History, request: ChatRequest) -> Answer:
        assert history.last is not None
        text = history.last.text
        name, rest = told_name(text)
        prefix: Answer = []
        if name:
            if not content_words(without_fillers(plain(rest))):
                return [_say(self._scripted(history, "name_told").format(name=name))]
            prefix = [_say(self._scripted(history, "name_told_in_passing").format(name=name) + " ")]
            text = rest
        return prefix + await self._reply(text, history, request)

    async def _reply(self, text: str, history: History, request: ChatRequest) -> Answer:
        pending = self._pending(text, history, request)
        best = await self._search(text)
        score = best.score if best is not None else 0.0
        if pending is not None and score < _BY_HEART:
            return pending
        intent = small_talk(text, self._name)
        if intent is not None and intent in FUNCTIONAL:
            return self._small_talk(intent, history, request)
        choice = choose(text, request.tools, self._knowledge.tool_intents, history.visitor)
        if choice is not None and choice.score >= SURE:
            return self._use(choice)
        if best is not None and score >= _BY_HEART:
            return self._tell(best, history)
        if intent is None and score < self._sure:
            intent = misheard_small_talk(text)
        if intent is not None:
            return self._small_talk(intent, history, request)
        if choice is not None and score < max(self._sure, choice.score - 0.3):
            return self._use(choice)
        if best is not None and score >= self._sure:
            return self._tell(best, history)
        follow_up = await self._follow_up(text, history)
        if follow_up is not None:
            return self._tell(follow_up, history)
        if best is not None and score >= self._unsure:
            return [_say(_DID_YOU_MEAN.format(question=self._entry(best).question))]
        if not content_words(text) and len(plain(text).split()) < 3:
            return [_say(self._scripted(history, "repeat"))]
        return [_say(self._unknown(history))]

    # Scores of retrieval are distributed differently with and without meaning: measured, see docs/language.md.

    @property
    def _sure(self) -> float:
        """The least score of an entry that is told at once."""
        return 0.37 if self._learnt else 0.27

    @property
    def _unsure(self) -> float:
        """The least score of an entry that is asked about."""
        return 0.28 if self._learnt else 0.18

    async def _search(self, text: str) -> Match | None:
        """The entry that fits best: the whole utterance or one of its sentences."""
        sentences = [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if part]
        asked = [text, *sentences] if len(sentences) > 1 else [text]
        said = addressed(text, self._name)
        parts = [without_fillers(addressed(part, self._name)) for part in asked[:6]]
        asked = list(dict.fromkeys([said, *parts]))
        encoder = self._encoder if self._learnt else None
        if encoder is None:
            found = [self._index.search(part) for part in asked]
        else:
            found = await asyncio.to_thread(lambda: [self._index.search(part, encoder) for part in asked])
        return max((matches[0] for matches in found if matches), key=lambda match: match.score, default=None)

    async def _follow_up(self, text: str, history: History) -> Match | None:
        """ "And on Sundays?": what the visitor asked before, with the new words."""
        if not re.match(r"(?:and|but|or|what about|how about|also)\b", plain(text)) or not history.questions_before():
            return None
        before = history.questions_before()[0]
        best = await self._search(f"{plain(before)} {without_fillers(plain(text))}")
        return best if best is not None and best.score >= self._sure else None

    def _entry(self, match: Match) -> Entry:
        return self._knowledge.entries[match.index]

    def _tell(self, match: Match, history: History) -> Answer:
        return [_say(history.pick(self._entry(match).answers))]

    def _small_talk(self, intent: Intent, history: History, request: ChatRequest) -> Answer:
        match intent:
            case "goodbye":
                return self._goodbye(history, request)
            case "repeat":
                if not history.answers:
                    return [_say(self._scripted(history, "nothing_to_repeat"))]
                return [_say(history.answers[-1])]
            case "more":
                return self._more(history)
            case "yes" | "no":
                return self._yes_or_no(intent, history)
            case "who_are_you":
                called = f"I am {self._name}" if self._name else "I am an avatar"
                own = (f"{called}, an artificial person. {self._topics(history)}".strip(),)
                return [_say(history.pick(self._knowledge.scripted.get("who_are_you", own)))]
            case "what_can_you_do":
                own = (
                    self._topics(history) or "I can talk a little with you, but nobody has taught me a subject yet.",
                )
                return [_say(history.pick(self._knowledge.scripted.get("what_can_you_do", own)))]
            case "time":
                return [_say(f"It is {_clock(self._now())}.")]
            case "date":
                now = self._now()
                return [_say(f"Today is {now:%A}, {now:%B} {now.day}, {now.year}.")]
            case "my_name":
                name = history.visitor
                return [_say(self._scripted(history, "my_name" if name else "my_name_unknown").format(name=name))]
            case "can_you_see_me":
                return [_say(self._scripted(history, "picture"))]
            case "greeting":
                if history.answers:  # it has introduced itself
                    return [_say(history.pick(REPLIES["greeting"]))]
                return [_say(self._scripted(history, "greeting"))]
            case _:
                return [_say(self._scripted(history, intent))]

    def _goodbye(self, history: History, request: ChatRequest) -> Answer:
        """Say goodbye, and hang up where a tool can, if that is clearly meant."""
        answer: Answer = [_say(self._scripted(history, "goodbye"))]
        ending = next((tool for tool in request.tools if ends_conversation(tool.name)), None)
        if ending is not None and history.last and wants_to_part(history.last.text):
            choice = complete(ending, {}, 1.0)
            reasons = {
                parameter: direct(properties(ending.parameters).get(parameter, {}), "goodbye", parameter)
                for parameter in choice.missing
            }
            if None not in reasons.values():
                answer += _call(ending, choice.arguments | reasons)
        return answer

    def _more(self, history: History) -> Answer:
        """The next piece of what is known beyond the last answer."""
        for at in range(len(history.answers) - 1, -1, -1):
            for entry in self._knowledge.entries:
                pieces = (*entry.answers, *entry.more)
                if any(is_heard_part(history.answers[at], piece) for piece in pieces):
                    told = [
                        piece for piece in entry.more if any(is_heard_part(said, piece) for said in history.answers)
                    ]
                    left = [piece for piece in entry.more if piece not in told]
                    return [
                        _say(
                            left[0] if left else f"{self._scripted(history, 'no_more')} {self._topics(history)}".strip()
                        )
                    ]
        return [_say(self._topics(history) or self._scripted(history, "no_more"))]

    def _yes_or_no(self, intent: Intent, history: History) -> Answer:
        last = history.answers[-1] if history.answers else ""
        meant = next(
            (
                entry
                for entry in self._knowledge.entries
                if plain(last) == plain(_DID_YOU_MEAN.format(question=entry.question))
            ),
            None,
        )
        if meant is None:
            return [_say(self._scripted(history, intent))]
        return [_say(history.pick(meant.answers) if intent == "yes" else self._scripted(history, "no_meant"))]

    def _use(self, choice: Choice) -> Answer:
        """Call the tool, or ask for what it still needs."""
        if choice.missing:
            return [_say(question(choice.tool, choice.missing[0]))]
        return _call(choice.tool, choice.arguments)

    def _pending(self, text: str, history: History, request: ChatRequest) -> Answer | None:
        """Go on with a tool whose argument was asked for in the last answer; None when none was."""
        asked: list[tuple[str, str]] = []
        tool: Tool | None = None
        reply = text
        for at in range(len(history.messages) - 2, 0, -2):
            said, before = history.messages[at], history.messages[at - 1]
            found = asked_for(said.text, (tool,) if tool else request.tools) if said.role == "assistant" else None
            if found is None or before.role != "user":
                break
            tool = found[0]
            asked.insert(0, (found[1], reply))
            reply = before.text
        if tool is None:
            return None
        if small_talk(text, self._name) in ("never_mind", "no", "goodbye"):
            return None
        schemas = properties(tool.parameters)
        arguments = fill(tool.parameters, reply, request_words(tool), history.visitor)
        for parameter, said in asked:
            value = direct(schemas.get(parameter, {}), said, parameter)
            if value is not None:
                arguments[parameter] = value
        return self._use(complete(tool, arguments, 1.0))

    def _topics(self, history: History) -> str:
        """What the persona can be asked; other examples in each turn. Empty when it knows nothing."""
        topics = [entry.topic for entry in self._knowledge.entries if entry.topic]
        shift = len(history.answers)
        if len(topics) > 1:
            some = [topics[(shift + at) % len(topics)] for at in range(min(_TOPICS, len(topics)))]
            return f"I can tell you about {', '.join(some[:-1])} and {some[-1]}."
        questions = tuple(entry.question for entry in self._knowledge.entries if entry.question.endswith("?"))
        return f"You could ask me, for example: {history.pick(questions)}" if questions else ""

    def _unknown(self, history: History) -> str:
        """That it does not know, and what it does; an author who words the first without topics says the second too."""
        told = self._scripted(history, "unknown")
        worded = "unknown" in self._knowledge.scripted and not any(entry.topic for entry in self._knowledge.entries)
        return told if worded else f"{told} {self._topics(history)}".strip()

    def _scripted(self, history: History, name: str) -> str:
        """A wording for an occasion: the author's where there is one."""
        own: dict[str, tuple[str, ...]] = {**self._knowledge.scripted}
        return history.pick(own.get(name) or REPLIES[name])


def _say(text: str) -> TextDelta:
    return TextDelta(text)


def _call(tool: Tool, arguments: dict[str, object]) -> Answer:
    written = json.dumps(arguments, ensure_ascii=False)
    call_id = f"call_{uuid.uuid4().hex[:24]}"
    return [ToolCallDelta(call_id, tool.name, written), ToolCall(call_id, tool.name, written)]


def _clock(now: datetime) -> str:
    """The time as it is said."""
    hour = now.hour % 12 or 12
    part = "in the morning" if now.hour < 12 else "in the afternoon" if now.hour < 18 else "in the evening"
    if now.minute == 0:
        return "noon" if now.hour == 12 else "midnight" if now.hour == 0 else f"{hour} o'clock {part}"
    return f"{hour}:{now.minute:02d} {part}"
