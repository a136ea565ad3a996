"""Finds the knowledge entry that a visitor's words ask for.

Words are weighed by BM25 (Robertson and Zaragoza 2009) over each entry's sentences taken together, and by the cosine of
tf-idf vectors with its single sentences. A text's terms are its stems, the ideas behind them, its question words and,
for what recognizers mishear, its pieces of three letters. Where an encoder is there, its likeness of meaning is added.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from visavis.language.minilm import SentenceEncoder, Vectors
from visavis.language.words import STOP, concepts, content_words, trigrams, words

_IDEA: Final = 1.5
_TRIGRAM: Final = 0.2
_QUESTION_WORD: Final = 0.3
_ANSWER: Final = 0.3
_COSINE: Final = 0.5
_K1: Final = 1.2
_B: Final = 0.3
_UNCOVERED: Final = 0.4
_MISHEARD: Final = 0.6
_MEANING: Final = 0.7
_TOGETHER: Final = 16

_SAME: Final = 0.84
"""From here on a likeness of all words, small ones too, is a score by itself: the visitor says the author's words."""

_QUESTION_MARKS: Final = frozenset(["?what", "?when", "?where", "?who", "?how", "?why", "?which", "?much", "?many"])

Terms = dict[str, float]
"""Terms and how much each counts."""


@dataclass(frozen=True, slots=True)
class Match:
    """How well entry number ``index`` fits: 0 (not at all) to 1 (the very words)."""

    index: int
    score: float


class _Bm25:
    """BM25 over bags of weighted terms, as a part of the most that the query could reach."""

    def __init__(self, bags: Sequence[Terms]) -> None:
        self._bags = bags
        self.idf = _Idf(bags)
        lengths = [sum(bag.values()) for bag in bags]
        mean = sum(lengths) / len(lengths) if lengths else 1.0
        self._norms = [_K1 * (1 - _B + _B * length / (mean or 1.0)) for length in lengths]

    def scores(self, query: Terms) -> list[float]:
        weights = {term: count * self.idf(term) * (_K1 + 1) for term, count in query.items()}
        most = sum(weights.values())
        if not most:
            return [0.0] * len(self._bags)
        return [
            sum(weight * bag[term] / (bag[term] + norm) for term, weight in weights.items() if term in bag) / most
            for bag, norm in zip(self._bags, self._norms, strict=True)
        ]


class _Idf:
    """How telling a term is: rare ones are. Unknown terms are the rarest, so that they speak against a match."""

    def __init__(self, bags: Sequence[Terms]) -> None:
        self._count = len(bags)
        self._found = Counter(term for bag in bags for term in bag)

    def __call__(self, term: str) -> float:
        found = self._found.get(term, 0)
        return math.log(1 + (self._count - found + 0.5) / (found + 0.5))


class _Cosine:
    """The cosine between a query's tf-idf vector and each of many sentences'."""

    def __init__(self, sentences: Sequence[Terms]) -> None:
        self._idf = _Idf(sentences)
        self._vectors = [self._vector(sentence) for sentence in sentences]

    def scores(self, query: Terms) -> list[float]:
        vector = self._vector(query)
        return [sum(value * other.get(term, 0.0) for term, value in vector.items()) for other in self._vectors]

    def _vector(self, terms: Terms) -> dict[str, float]:
        values = {term: count * self._idf(term) for term, count in terms.items()}
        length = math.sqrt(sum(value * value for value in values.values())) or 1.0
        return {term: value / length for term, value in values.items()}


class Index:
    """Entries to search: each has sentences that ask for it, and the text that answers."""

    def __init__(self, entries: Sequence[tuple[Sequence[str], str]]) -> None:
        """``entries``: for each its sentences and its answer's text."""
        self._sentences = [(at, sentence) for at, (asked, _) in enumerate(entries) for sentence in asked]
        self._size = len(entries)
        terms = [_terms(sentence) for _, sentence in self._sentences]
        bags: list[Terms] = [{} for _ in entries]
        for (at, _), found in zip(self._sentences, terms, strict=True):
            _add(bags[at], found, 1.0)
        for bag, (_, answer) in zip(bags, entries, strict=True):
            _add(bag, _terms(answer, question=False), _ANSWER)
        self._surfaces = [_surface(sentence) for _, sentence in self._sentences]
        self._bags = bags
        self._bm25 = _Bm25(bags)
        self._cosine = _Cosine(terms)
        self._vectors: Vectors | None = None

    def learn(self, encoder: SentenceEncoder, stopped: Callable[[], bool] = lambda: False) -> bool:
        """Encode all sentences, so that ``search`` may weigh meaning too. Takes seconds: to be called in a thread.

        Between a few sentences and the next it asks whether it is to be ``stopped``; False when it was.
        """
        sentences = [sentence for _, sentence in self._sentences]
        learnt: list[Vectors] = []
        for start in range(0, len(sentences), _TOGETHER):
            if stopped():
                return False
            learnt.append(encoder.encode(sentences[start : start + _TOGETHER]))
        if learnt:
            self._vectors = np.concatenate(learnt)
        return True

    def search(self, text: str, encoder: SentenceEncoder | None = None) -> list[Match]:
        """All entries, the best first. With an encoder (after ``learn``) this takes some 20 ms."""
        query = _terms(text)
        scores = [(1 - _COSINE) * score for score in self._bm25.scores(query)]
        for at, score in self._best(self._cosine.scores(query)).items():
            scores[at] += _COSINE * score
        scores = [score * min(1.0, _UNCOVERED + part) for score, part in zip(scores, self._covered(text), strict=True)]
        if encoder is not None and self._vectors is not None:
            likeness = self._vectors @ encoder.encode([text])[0]
            meaning = self._best([float(value) for value in likeness])
            scores = [
                (1 - _MEANING) * score + _MEANING * max(0.0, meaning.get(at, 0.0)) for at, score in enumerate(scores)
            ]
        said = _surface(text)
        for at, alike in self._best([_dice(said, surface) for surface in self._surfaces]).items():
            if alike >= _SAME:
                scores[at] = max(scores[at], alike)
        return sorted((Match(at, score) for at, score in enumerate(scores)), key=lambda match: -match.score)

    def _covered(self, text: str) -> list[float]:
        """How much of what ``text`` is about each entry speaks of: telling words weigh more, unknown ones the most.

        One shared word among strange ones ("how do vaccines work") is no match.
        """
        stems = content_words(text)
        weights = [self._bm25.idf(word) for word in stems]
        meant = [{word, *concepts([word])} for word in stems]
        pieces = [trigrams([word]) for word in stems]
        covered: list[float] = []
        for bag in self._bags:
            met = 0.0
            for weight, names, letters in zip(weights, meant, pieces, strict=True):
                heard = len(letters) > 3 and sum(piece in bag for piece in letters) >= _MISHEARD * len(letters)
                if heard or not names.isdisjoint(bag):
                    met += weight
            covered.append(met / (sum(weights) or 1.0))
        return covered

    def _best(self, scores: Sequence[float]) -> dict[int, float]:
        """Each entry's best sentence."""
        best: dict[int, float] = {}
        for (at, _), score in zip(self._sentences, scores, strict=True):
            best[at] = max(best.get(at, 0.0), score)
        return best


def _terms(text: str, *, question: bool = True) -> Terms:
    stems = content_words(text)
    terms: Terms = dict(Counter(stems))
    _add(terms, dict.fromkeys(concepts(stems), 1.0), _IDEA)
    _add(terms, Counter(trigrams(stems)), _TRIGRAM)
    if question:
        _add(terms, dict.fromkeys(_QUESTION_MARKS & {f"?{word}" for word in words(text)}, 1.0), _QUESTION_WORD)
    return terms


def _surface(text: str) -> Counter[str]:
    """All words of ``text``, those that say what it is about counted twice, and "not", which turns it round, more."""
    return Counter(word for word in words(text) for _ in range(3 if word == "not" else 1 if word in STOP else 2))


def _dice(one: Counter[str], other: Counter[str]) -> float:
    """How much of two bags of words is the same, 0–1."""
    size = one.total() + other.total()
    return 2 * (one & other).total() / size if size else 0.0


def _add(terms: Terms, more: Mapping[str, float], weight: float) -> None:
    for term, count in more.items():
        terms[term] = terms.get(term, 0.0) + weight * count
