"""What the persona brain says, once, to people who speak another language than English."""

import re
from typing import Final

NOTICES: Final[dict[str, str]] = {
    "ar": "عذراً، أنا أتحدث الإنجليزية فقط.",
    "cs": "Promiňte, mluvím jen anglicky.",
    "da": "Undskyld, jeg taler kun engelsk.",
    "de": "Es tut mir leid, ich spreche nur Englisch.",
    "el": "Λυπάμαι, μιλάω μόνο αγγλικά.",
    "es": "Lo siento, solo hablo inglés.",
    "fi": "Anteeksi, puhun vain englantia.",
    "fr": "Je suis désolée, je ne parle qu'anglais.",
    "he": "סליחה, אני מדברת רק אנגלית.",
    "hi": "क्षमा करें, मैं केवल अंग्रेज़ी बोलती हूँ।",
    "hu": "Sajnálom, csak angolul beszélek.",
    "it": "Mi dispiace, parlo solo inglese.",
    "ja": "すみません、英語しか話せません。",
    "ko": "죄송합니다, 저는 영어만 할 수 있습니다.",
    "nb": "Beklager, jeg snakker bare engelsk.",
    "nl": "Het spijt me, ik spreek alleen Engels.",
    "pl": "Przepraszam, mówię tylko po angielsku.",
    "pt": "Desculpe, só falo inglês.",
    "ro": "Îmi pare rău, vorbesc doar engleză.",
    "ru": "Извините, я говорю только по-английски.",
    "sv": "Förlåt, jag talar bara engelska.",
    "th": "ขออภัย ฉันพูดได้แต่ภาษาอังกฤษ",
    "tr": "Üzgünüm, yalnızca İngilizce konuşuyorum.",
    "uk": "Вибачте, я розмовляю лише англійською.",
    "vi": "Xin lỗi, tôi chỉ nói tiếng Anh.",
    "zh": "对不起，我只会说英语。",
}

# The first script that is found decides; Han comes last because Japanese uses it too.
_SCRIPTS: Final = (
    ("uk", re.compile("[іїєґІЇЄҐ]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
)
# Everyday words that English does not have.
_MARKERS: Final[dict[str, frozenset[str]]] = {
    language: frozenset(listed.split())
    for language, listed in {
        "de": "ich du sie wir ist sind der das und nicht was wie wo wann warum haben habe kann können mir für ein eine "
        "guten tag hallo danke bitte sprechen deutsch wer auf mit",
        "fr": "je tu vous nous est sont le la les des et pas que quoi comment où quand pourquoi bonjour merci une avec "
        "parlez français pouvez suis quel quelle qui dans pour ça",
        "es": "yo tú usted nosotros es son el los las y qué que cómo como dónde donde cuándo por hola gracias una con "
        "habla español puede soy está estás quién para hay buenos días",
        "it": "io tu lei noi è sono il gli che cosa come dove quando perché ciao grazie una con parla italiano può "
        "buongiorno chi per quanto costa",
        "pt": "eu você nós é são os as não que como onde quando porque olá obrigado obrigada uma com fala "
        "português pode sou está quem para bom dia",
        "nl": "ik jij u wij zijn het een en niet wat hoe waar wanneer waarom hallo dank spreekt nederlands "
        "kunt ben wie voor met goedemorgen",
        "pl": "ja ty pan pani jest są nie co jak gdzie kiedy dlaczego cześć dziękuję mówisz polsku może jestem kto "
        "dzień dobry proszę czy",
        "sv": "jag du ni är och inte vad hur var när varför hej tack talar svenska kan vem för med",
        "tr": "ben sen siz biz ve değil ne nasıl nerede zaman neden merhaba teşekkürler türkçe konuşuyor var mı mi kim",
    }.items()
}
_ENGLISH_WORDS: Final = (
    "i you we is are the and not what how where when why have can my for a an hello thanks please who on with do does "
    "to of it me in was that this your there"
)
_ENGLISH: Final = frozenset(_ENGLISH_WORDS.split())
_WORD: Final = re.compile(r"[^\W\d_]+")


def notice(language: str) -> str:
    """The sentence for a BCP 47 tag; empty for English, and where the table has none."""
    base = re.split("[-_]", language.lower())[0]
    return NOTICES.get("nb" if base in ("no", "nn") else base, "")


def is_english(language: str) -> bool:
    """Whether a BCP 47 tag (or no tag at all) stands for English."""
    return re.split("[-_]", language.lower())[0] in ("", "en")


def guess(text: str) -> str:
    """The language of a text that is clearly not English; empty when it is, or cannot be told."""
    letters = sum(char.isalpha() for char in text)
    for language, script in _SCRIPTS:
        if len(script.findall(text)) * 2 > letters > 0 or (language == "uk" and script.search(text)):
            return language
    found = {word.casefold() for word in _WORD.findall(text)}
    hits = {language: len(found & markers) for language, markers in _MARKERS.items()}
    best = max(hits, key=lambda language: hits[language])
    return best if hits[best] >= 2 and hits[best] > len(found & _ENGLISH) else ""
