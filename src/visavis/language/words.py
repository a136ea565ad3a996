"""English words made comparable: contractions opened, endings cut, everyday synonyms brought together."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from visavis.language.emotion_markup import unmarked

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")

_ACCENTS: Final = re.compile("[\u0300-\u036f]")

_CONTRACTIONS: Final = {
    "'s": " is", "'re": " are", "'m": " am", "'ll": " will", "'ve": " have", "'d": " would", "n't": " not",
}  # fmt: skip
_SPECIAL: Final = {
    "won't": "will not", "can't": "can not", "cannot": "can not", "shan't": "shall not", "let's": "let us",
    "gonna": "going to", "wanna": "want to", "gotta": "got to", "gimme": "give me", "lemme": "let me",
    "dunno": "do not know", "ok": "okay", "hrs": "hours", "mins": "minutes", "ya": "you", "u": "you", "r": "are",
    "pls": "please", "thx": "thanks", "im": "i am", "whats": "what is", "wheres": "where is", "whos": "who is",
    "hows": "how is",
    "dont": "do not", "doesnt": "does not", "didnt": "did not", "isnt": "is not", "thats": "that is",
}  # fmt: skip

_STOP_WORDS: Final = """
a an the i me my mine we us our you your yours he him his she her they them their it its this that these those is are am
was were be been being do does did done doing have has had having can could may might must shall should will would to of
in for on at and or but so if as by from with about into up out off over there here not no yes please just also too very
really some any what which who whom how when where why get got want need like let tell say know give go going one thing
things something anything um uh er ah oh well okay hey another other
else same different so only
"""
STOP: Final = frozenset(_STOP_WORDS.split())
"""Words that say little of what a question is about. The question words are among them; ``concepts`` knows those."""

# Each line: words that a visitor uses for one another. The first names the idea.
_SYNONYMS: Final = """
open opening hours close closed closing shut schedule
price cost costs charge fee fees expensive cheap pay paid rate rates euro euros dollar dollars money admission fare
free complimentary gratis included
discount cheaper reduction reduced deal deals concession concessions saving
address located location street situated directions find place
contact phone telephone call email mail reach number
refund return money-back back send-back reimburse
shipping delivery deliver postage parcel package ship shipped shipment courier
card cash credit paypal visa payment payments
password login log-in account sign-in
cancel stop end terminate
pet pets dog dogs cat cats animal animals puppy
car parking park garage drive vehicle
room rooms suite bedroom accommodation
wifi wi-fi internet wireless network online
swim swimming pool spa
airport flight plane shuttle
restaurant eat food meal meals dinner lunch breakfast hungry cafe coffee tea snack drink drinks dine dining canteen bite
vegetarian vegan meat
name called
language languages speak german french spanish italian english chinese translate
data privacy private store stored record recorded recording secure gdpr personal
voucher gift coupon certificate present
size sizes large small bigger smaller
warranty guarantee repair broken breaks
change move reschedule postpone
member membership join register club subscribe subscription
job jobs work hiring career careers position vacancy vacancies employ employment apply
tour tours guide guided show-around
wheelchair accessible accessibility lift elevator stairs ramp disabled disability step-free
smoke smoking cigarette cigarettes
child children kid kids baby family families toddler son daughter
ticket tickets book booking reserve reservation
help support assistance assist
toilet toilets bathroom bathrooms restroom restrooms loo washroom
shop store gift-shop souvenir souvenirs buy purchase sell
photo photos photograph photography picture pictures camera film filming
bag bags luggage backpack coat coats locker lockers cloakroom suitcase
bus train tram metro subway transport station underground
made make built build create created developed developer author wrote
old age oldest ancient born history founded began begin started start established
big large huge size tall long high heavy weigh weight
far distance near nearby close-by walk
software program app application code
computer server machine hardware laptop pc
picture image portrait
fast slow quick quickly speed latency delay
licence license licensed open-source source
sound voice hear audio listen microphone
video face look looks
school schools student students pupil pupils class university college teacher
"""


# Their stems would be other words.
_NO_ENDING: Final = frozenset([
    "called", "used", "news", "this", "does", "less", "during", "address", "access", "morning", "made", "care", "bite",
    "hiring",
])  # fmt: skip


def _stem_plain(word: str) -> str:
    """``word`` without its commonest endings; cruder than Porter's, and enough to compare."""
    if word in _NO_ENDING:
        return word
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    for ending, least in (("ing", 6), ("ed", 5), ("es", 5), ("s", 4), ("ly", 6)):
        if len(word) >= least and word.endswith(ending) and not word.endswith(("ss", "us", "is")):
            word = word[: -len(ending)]
            if ending in ("ing", "ed") and len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


stem = lru_cache(maxsize=20_000)(_stem_plain)


def _concepts() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for line in _SYNONYMS.strip().splitlines():
        names = line.split()
        for name in names:
            mark = f"@{names[0]}"
            listed = found.setdefault(stem(name.replace("-", "")), [])
            if mark not in listed:
                listed.append(mark)
    return {word: tuple(marks) for word, marks in found.items()}


_CONCEPT_OF: Final = _concepts()


def words(text: str) -> list[str]:
    """The words of ``text``: lower case, without punctuation, accents and marks of emotions, contractions opened."""
    text = unmarked(text).casefold().replace("’", "'").replace("wi-fi", "wifi").replace("e-mail", "email")
    text = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
    found: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        if word in _SPECIAL:
            found += _SPECIAL[word].split()
            continue
        for ending, opened in _CONTRACTIONS.items():
            if word.endswith(ending) and len(word) > len(ending):
                word = word.removesuffix(ending) + opened
                break
        found += word.split()
    return found


def content_words(text: str) -> list[str]:
    """The stems of the words that say what ``text`` is about."""
    return [stem(word) for word in words(text) if word not in STOP]


def concepts(stems: list[str]) -> list[str]:
    """The ideas behind ``stems``, as marks like ``@price`` that no word is equal to."""
    return [mark for word in stems for mark in _CONCEPT_OF.get(word, ())]


def trigrams(stems: list[str]) -> list[str]:
    """Pieces of three letters: they survive a misheard or misspelt word."""
    return [f"#{padded[at : at + 3]}" for word in stems for padded in (f"^{word}$",) for at in range(len(padded) - 2)]
