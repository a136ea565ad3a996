"""The talk that every persona masters: what visitors say besides asking, and how it is answered.

Patterns are matched against a whole utterance of plain words (``words``), fillers at its edges taken off.
"""

import re
from difflib import SequenceMatcher
from typing import Final, Literal

from visavis.language.words import words

Intent = Literal[
    "greeting",
    "goodbye",
    "thanks",
    "how_are_you",
    "who_are_you",
    "what_can_you_do",
    "are_you_human",
    "how_old_are_you",
    "can_you_hear_me",
    "can_you_see_me",
    "speak_up",
    "repeat",
    "more",
    "yes",
    "no",
    "never_mind",
    "wait",
    "praise",
    "blame",
    "time",
    "date",
    "my_name",
]

_PATTERNS: Final[dict[Intent, str]] = {
    "goodbye": r"""
        (?:good ?bye|bye|bye bye|good night|farewell|see you|see ya|talk to you|have a (?:nice|good|great|lovely) \w+|
        that (?:is|was|will be) (?:all|it|everything)|i am (?:done|finished)|take care|so long|cheerio|
        (?:i|we) (?:have|had|need|want|ought) to (?:go|leave|run|hang up)|(?:i|we) (?:must|should|will) (?:go|leave)|
        (?:i am|we are) leaving|(?:please )?(?:end|finish|stop|close|terminate) (?:the |this |our )?(?:call|
        conversation|chat)|
        (?:please )?hang up)
        (?:\ (?:then|now|later|soon|tomorrow|again|for now|for today|bye|good ?bye|everyone|everybody|you|too|
        see you|take care|have a (?:nice|good|great|lovely) \w+|thanks|thank you))*
        """,
    "thanks": r"""
        (?:thanks|thank you|many thanks|thanks a lot|i thank you|cheers|much appreciated)
        (?:\ (?:very much|so much|a lot|a million|again|you|for (?:that|your help|the help|the information|your time|
        helping)))*
        (?:\ (?:that (?:is|was) (?:very |really )?(?:helpful|kind|nice|great|good)))?
        """,
    "how_are_you": r"""
        how (?:are|do) you(?: do| doing| feeling)?(?: today| this morning)?|how is it going|how are things|
        are you (?:okay|well|fine|good)|what is up|how have you been|how was your day|how is your day(?: going)?|
        (?:i am )?(?:fine|good|very well|not bad)(?: thanks| thank you)? (?:and you|how are you|and how are you)
        """,
    "who_are_you": r"""
        who are you|who (?:is|am i) (?:this|speaking|speaking (?:to|with)|talking (?:to|with))|
        what is your (?:full )?name|
        (?:please )?(?:tell me|say) (?:about yourself|who you are|your name|something about yourself)|
        (?:please )?introduce yourself|what are you(?: exactly| called)?|(?:do you have|have you got) a name|
        what (?:should|can|shall|do) i call you|tell me a (?:little|bit|little bit) about yourself|describe yourself
        """,
    "what_can_you_do": r"""
        what can (?:you|i) (?:do|ask|ask you|help(?: me)?(?: with)?|talk about|tell me)(?: about| for me| here)?|
        what (?:do you|can you) (?:know|know about|talk about|offer|answer)|what are your (?:skills|abilities)|
        how can you (?:help|assist)(?: me)?|can you help(?: me)?|help(?: me)?|i need (?:some )?help|
        what (?:should|could|may) i ask(?: you)?|what (?:questions|topics) (?:can|may|could) .{2,40}|
        what else can (?:you do|i ask|you tell me)(?: you| about)?|what can we talk about|what are we talking about
        """,
    "are_you_human": r"""
        (?:so )?are you (?:a |an )?(?:real|human|human being|real person|real human|person|robot|machine|bot|computer|
        artificial|artificial intelligence|ai|avatar|alive|chat ?bot|language model|fake|recording)(?: or .{2,40})?|
        am i (?:talking|speaking) (?:to|with) (?:a |an )?(?:human|person|real person|machine|robot|computer|bot|
        ai)(?: or .{2,40})?
        """,
    "how_old_are_you": r"how old are you|what is your age|when were you (?:born|made)|when is your birthday",
    "can_you_hear_me": r"(?:can|do) you hear me(?: now| well)?|are you (?:(?:still )?there|listening)|testing.{0,20}",
    "can_you_see_me": r"""
        (?:can|do) you see (?:me|this|that|it|us|my \w+|what i .{2,30})(?: now)?|what (?:do|can) you see|
        what am i (?:wearing|holding|doing|showing(?: you)?)|how do i look|look at (?:me|this|that|my \w+)|
        (?:what|who) is (?:this|that|in (?:this|the) (?:picture|photo|image))|
        what (?:is|do you see) (?:on|in) (?:this|the|my) (?:picture|photo|image|camera)|describe (?:this|
        the) (?:picture|photo|image)
        """,
    "speak_up": r"(?:please )?(?:(?:speak|talk) )?(?:up|louder|slower|more slowly|faster)",
    "repeat": r"""
        (?:(?:can|could|would|will) you )?(?:please )?(?:repeat|say)(?: (?:it|that|this|the last (?:part|sentence|
        bit)))?
        (?: again| once more| one more time)?|again|once more|one more time|pardon|pardon me|i beg your pardon|
        come again|
        sorry what|what did you (?:just )?say|what was that|what|
        (?:sorry )?i (?:did|could|can) not (?:hear|catch|understand|get)(?: you| that| it| what you said)?
        """,
    "more": r"""
        another(?: one)?(?: please)?|one more|
        (?:(?:can|could) you )?(?:tell me |say |give me |i want to (?:know|hear) |i would like to (?:know|hear) )?
        (?:a bit |some |a little )?more(?: about (?:it|that|this)| details| information)?|go on|continue|keep going|
        and then|
        what else|anything else|is there (?:anything|something|any) (?:else|more)|and what else|
        (?:can you )?elaborate(?: on that)?|details|explain (?:that|it)(?: more| further)?
        """,
    "yes": r"(?:yes|yeah|yep|yup|sure|of course|exactly|right|correct|that is right|yes please|i (?:do|did)|indeed)",
    "no": r"(?:no|nope|nah|not really|no thank(?:s| you)|not at all|that is not what i (?:meant|asked|said)|wrong)",
    "never_mind": r"never ?mind|forget (?:it|that)|stop(?: it| talking)?|(?:be )?quiet|shut up|cancel(?: that)?|enough",
    "wait": r"(?:just |please )?(?:(?:wait|hold on|give me)(?: (?:just )?(?:a|one) (?:moment|second|minute|bit))?|"
    r"(?:just )?(?:a|one) (?:moment|second|minute))",
    "praise": r"""
        (?:you are|you look|that (?:is|was)|it is|this is|very|really|so)?(?: very| really| so| pretty)?
        \ ?(?:great|good|cool|nice|wonderful|amazing|awesome|perfect|excellent|fantastic|lovely|beautiful|pretty|
        funny|
        smart|helpful|interesting|impressive|good to know|kind|sweet|brilliant|well done|good job)|i (?:like|
        love) (?:you|it|that|this)
        """,
    "blame": r"""
        (?:you are|that (?:is|was))?(?: very| really| so| a| an)?\ ?
        (?:stupid|dumb|useless|an? idiot|idiot|terrible|bad|awful|boring|annoying|ugly|not (?:very )?(?:helpful|
        right|true|good))|
        i (?:hate|do not like) (?:you|it|this|that)
        """,
    "time": r"""
        (?:can you |could you |please )?(?:tell me )?(?:what time is it|what is the time|what the time is|the time|
        do you have the time|how late is it|what time do you have)(?: right)?(?: now)?
        """,
    "date": r"""
        (?:can you |could you |please )?(?:tell me )?(?:what|which) (?:day|date|month|year|weekday|
        day of the week) (?:is it|is today|is this|
        do we have|have we)(?: today| now)?|(?:tell me )?what is (?:the|today|today is|this) (?:date|day|month|
        year)(?: today)?|
        (?:tell me )?the date|what is today
        """,
    "my_name": r"what is my name|do you (?:know|remember) (?:my name|me|who i am)|who am i|what am i called",
}
_COMPILED: Final[dict[Intent, re.Pattern[str]]] = {
    intent: re.compile(re.sub(r"\s*\n\s*", "", pattern)) for intent, pattern in _PATTERNS.items()
}

_FILLERS: Final = (
    r"um|uh|er|erm|ah|oh|hm|well|okay|alright|all right|so|and|but|now|right|please|hey|hi|hello|hello there|hi there|"
    r"good morning|good afternoon|good evening|good day|excuse me|sorry|thanks|thank you|great|listen|actually|look|"
    r"i see|yes|yeah|no|nice|good|cool|fine|perfect|wonderful"
)
_MISHEARD: Final = 0.82
_LONGEST_MISHEARD: Final = 7
_FILLER: Final = re.compile(rf"(?:{_FILLERS})\b ?")
_LEADING: Final = re.compile(rf"(?:(?:{_FILLERS})\b ?)+")
_TRAILING: Final = re.compile(r"(?: ?\b(?:um|uh|er|please|thanks|thank you|then|now))+$")
_HESITATION: Final = re.compile(r"\b(?:um|uh|uhm|er|erm|hm)\b ?")
_GREETING: Final = re.compile(
    r"(?:hello|hi|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|welcome|nice to (?:meet|see) you)"
    r"(?: (?:there|again|everyone|to you|you|too|all|my friend|nice to (?:meet|see) you|hello|hi))*"
)

EXAMPLES: Final[dict[Intent, tuple[str, ...]]] = {
    "greeting": ("hello", "hi there", "good morning", "good afternoon", "good evening"),
    "goodbye": (
        "goodbye",
        "bye bye",
        "see you later",
        "thank you goodbye",
        "that was all thank you",
        "I have to go now",
    ),
    "thanks": ("thank you", "thank you very much", "thanks a lot"),
    "how_are_you": ("how are you", "how are you today", "how do you do"),
    "who_are_you": ("who are you", "what is your name", "tell me about yourself"),
    "what_can_you_do": ("what can you do", "what can I ask you", "how can you help me", "can you help me"),
    "are_you_human": ("are you a real person", "are you a robot", "are you human"),
    "how_old_are_you": ("how old are you",),
    "can_you_hear_me": ("can you hear me", "are you there"),
    "can_you_see_me": ("can you see me", "what do you see"),
    "repeat": ("can you repeat that", "please say that again", "what did you say", "I did not understand that"),
    "more": ("tell me more", "tell me more about it", "go on", "what else"),
    "yes": ("yes", "yes please"),
    "no": ("no", "no thank you"),
    "never_mind": ("never mind", "stop"),
    "wait": ("wait a moment",),
    "praise": ("that is great", "very good"),
    "time": ("what time is it",),
    "date": ("what day is it today", "what is the date today"),
    "my_name": ("what is my name", "do you remember my name"),
}
"""Things that visitors say, for the recognizer, and to recognize small talk in words that were misheard."""

REPLIES: Final[dict[str, tuple[str, ...]]] = {
    "greeting": (
        "[happy] Hello! What would you like to know?",
        "[happy] Hi there! How can I help you?",
        "[happy] Hello! Ask me anything you like.",
    ),
    "goodbye": (
        "[happy 0.7] Goodbye! It was nice talking to you.",
        "[happy 0.7] Goodbye, and see you soon!",
        "[happy 0.7] Bye! Have a nice day.",
    ),
    "thanks": ("[happy] You are welcome.", "[happy] My pleasure.", "[happy] Any time."),
    "how_are_you": (
        "[happy 0.7] I am fine, thank you. What can I do for you?",
        "[happy 0.7] Very well, thank you for asking. How can I help?",
    ),
    "are_you_human": (
        "No, I am not a human being. I am an artificial person: a program finds my words, and another draws my face.",
    ),
    "how_old_are_you": ("[amused 0.6] I have no age. I begin anew with every conversation.",),
    "can_you_hear_me": ("Yes, I can hear you.", "I am here, and I can hear you."),
    "picture": (
        "[concerned 0.4] I am sorry, I cannot see pictures. Please tell me in words what you would like to know.",
        "[concerned 0.4] I cannot look at pictures, I can only listen. Can you describe it to me?",
    ),
    "speak_up": ("[concerned 0.4] I am sorry, I cannot change how I speak. You can change the volume on your side.",),
    "nothing_to_repeat": ("[amused 0.6] I have not said anything yet. What would you like to know?",),
    "no_more": ("[neutral] That is all I know about it.", "[neutral] I am afraid I know no more than that."),
    "yes": ("[happy 0.5] Good. What would you like to know?", "[happy 0.5] All right. What is your question?"),
    "no": (
        "[neutral] All right. Is there something else you would like to know?",
        "[neutral] Okay. Ask me whenever you like.",
    ),
    "no_meant": (
        "[concerned 0.4] I see. Could you say it in other words?",
        "[concerned 0.4] Sorry about that. Please try other words.",
    ),
    "never_mind": ("All right.", "Okay."),
    "wait": ("[happy 0.4] Take your time.", "[happy 0.4] Of course, I am waiting."),
    "praise": ("[happy] Thank you, that is kind of you.", "[happy] I am glad to hear that."),
    "blame": (
        "[sad 0.6] I am sorry. Perhaps I can help you with something else.",
        "[sad 0.6] I am sorry to disappoint you.",
    ),
    "name_told": (
        "[happy] Nice to meet you, {name}. What would you like to know?",
        "[happy] Hello, {name}. How can I help you?",
    ),
    "name_told_in_passing": ("[happy] Nice to meet you, {name}.", "[happy] Hello, {name}."),
    "my_name": ("[happy 0.6] Your name is {name}.", "[happy 0.6] You are {name}."),
    "my_name_unknown": ("[amused 0.5] You have not told me your name yet.",),
    "unknown": (
        "[concerned 0.5] I am sorry, I do not know that.",
        "[concerned 0.5] I am afraid I cannot answer that.",
        "[concerned 0.5] I do not know, I am sorry.",
    ),
    "repeat": (
        "[concerned 0.4] I am sorry, I did not understand you. Could you say it again?",
        "[concerned 0.4] Sorry, I did not catch that.",
    ),
    "go_on": ("Is there anything you would like to know?", "What else would you like to know?"),
    "english_only": ("[concerned 0.5] I am sorry, I only speak English.",),
}
"""Wordings for each occasion, with marks of emotions; an avatar's ``[scripted]`` texts of the same name come in their
place."""


FUNCTIONAL: Final[frozenset[Intent]] = frozenset(
    ["goodbye", "repeat", "more", "yes", "no", "never_mind", "wait", "time", "date", "my_name"]
)
"""Small talk that does something: it comes before an author's entries."""


def plain(text: str) -> str:
    """``text`` as plain words."""
    return " ".join(words(text))


def without_fillers(text: str) -> str:
    """Plain words without what people put before and after a question; all of them when nothing else is there."""
    found = _LEADING.match(text)
    rest = text[found.end() :] if found else text
    rest = _TRAILING.sub("", rest)
    return rest.strip() or text


def addressed(text: str, persona: str) -> str:
    """``text`` as plain words, without the persona's name in front or at the end ("Vera, who are you")."""
    said, name = plain(text), plain(persona)
    if name:
        ending = rf"\s*\b{re.escape(name)}$"
        beginning = rf"^(?:(?:hey|hi|hello|okay|so) )?{re.escape(name)}\b(?! is\b)\s*"
        # Of "hi Vera" the hi is left, of the name alone the name.
        said = re.sub(f"{beginning}|{ending}", "", said) or re.sub(ending, "", said) or said
    return said


def _peelings(said: str) -> list[str]:
    """``said``, and what is left of it as one filler after the other is taken off, first in front, then at the end."""
    left = [said]
    while (found := _FILLER.match(left[-1])) and found.end() < len(left[-1]):
        left.append(left[-1][found.end() :])
    return [*left, without_fillers(said)]


def small_talk(text: str, persona: str = "") -> Intent | None:
    """What the utterance ``text`` is, if it is small talk; ``persona`` may be addressed by name."""
    said = _HESITATION.sub("", addressed(text, persona)).strip()
    if persona and said == plain(persona):
        return "greeting"
    if not said:
        return "greeting" if text.strip() else None
    for candidate in _peelings(said):
        if _GREETING.fullmatch(candidate):
            return "greeting"
        for intent, pattern in _COMPILED.items():
            if pattern.fullmatch(candidate):
                return intent
    return None


def misheard_small_talk(text: str) -> Intent | None:
    """The small talk that a short utterance nearly is, letter by letter."""
    said = plain(text)
    if not 1 < len(said.split()) <= _LONGEST_MISHEARD:
        return None
    rated: list[tuple[float, Intent]] = [
        (SequenceMatcher(None, said, plain(example)).ratio(), intent)
        for intent, examples in EXAMPLES.items()
        for example in examples
    ]
    likeness, intent = max(rated)
    return intent if likeness >= _MISHEARD else None


_PARTING: Final = re.compile(
    r"\b(?:good ?bye?|bye|good ?night|farewell|see (?:you|ya)|talk to you|have a|take care|so long|cheerio|go|leave|"
    r"leaving|run|hang up|end|finish|stop|close|terminate)\b"
)


def wants_to_part(goodbye: str) -> bool:
    """Whether an utterance that was taken for a goodbye is clear enough to hang up.

    Not "that was all", after which more may come, and nothing that only sounds like a goodbye.
    """
    return _PARTING.search(plain(goodbye)) is not None


_NAME: Final = re.compile(
    r"\b(?:my name is|my name's|i am called|i'm called|(?:please |you can )?call me|they call me)\s+"
    r"(?P<name>[^\W\d_][^\W\d_'’-]*(?:[ '’-][A-Z][^\W\d_]+)?)",
    re.IGNORECASE,
)
_INTRODUCTION: Final = re.compile(
    r"^\W*(?:(?:[Hh]i|[Hh]ello|[Hh]ey)\b\W*)?(?:I am|I'm|I’m|This is) (?P<name>[A-Z][a-zà-ÿ]{1,20})\b\W*"
)
_NO_NAME: Final = frozenset(
    ["not", "a", "an", "the", "so", "very", "no", "what", "and", "is", "later", "back", "when", "if", "please", "here"]
)


def told_name(text: str) -> tuple[str, str]:
    """The name that the visitor gives, and the rest of what is said; an empty name when none is given."""
    found = _NAME.search(text) or _INTRODUCTION.search(text)
    if not found or found["name"].casefold() in _NO_NAME:
        return "", text
    name = " ".join(part[:1].upper() + part[1:] for part in found["name"].split())
    rest = f"{text[: found.start()]} {text[found.end() :]}"
    return name, rest
