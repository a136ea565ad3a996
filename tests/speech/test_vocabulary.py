import pytest

from visavis.speech.vocabulary import acronyms, number_words, sounded, spelled, words_of, written

PHONES = " AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH "


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("Hello, how are you?", "hello how are you"),
        ("What’s the Wi-Fi password?!", "what's the wi-fi password"),
        (
            "Room 42 costs 1,250 euros – 10% less.",
            "room forty two costs one thousand two hundred fifty euros ten percent less",
        ),
        ("Meet at 9:30 & bring 2", "meet at nine thirty and bring two"),
        ("“Quoted” (aside) e-mail…", "quoted aside e-mail"),
        ("Où est le café", "où est le café"),
        ("...", ""),
    ],
)
def test_phrases_become_spoken_words(phrase: str, words: str) -> None:
    assert " ".join(words_of(phrase)) == words


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "zero"),
        ("13", "thirteen"),
        ("20", "twenty"),
        ("99", "ninety nine"),
        ("100", "one hundred"),
        ("305", "three hundred five"),
        ("12000", "twelve thousand"),
        ("999999", "nine hundred ninety nine thousand nine hundred ninety nine"),
        ("007", "zero zero seven"),
        ("1234567", "one two three four five six seven"),
    ],
)
def test_numbers_become_words(digits: str, words: str) -> None:
    assert " ".join(number_words(digits)) == words


def test_words_in_capitals_are_acronyms_unless_everything_is() -> None:
    assert acronyms(["Where is the ATM?", "I need the USA desk", "STOP NOW"]) == {"atm", "usa"}
    assert spelled("atm") == "EY T IY EH M"


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("ship", "SH IH P"),
        ("zork", "Z AO R K"),
        ("queen", "K W IY N"),
        ("kettle", "K EH T L"),
        ("nation", "N AE SH AH N"),
        ("wi-fi", "W IH F IH"),
        ("fées", "F IY S"),
        ("東京", ""),
    ],
)
def test_unknown_words_are_pronounced_by_rule(word: str, phones: str) -> None:
    assert sounded(word) == phones


@pytest.mark.parametrize("word", ["xyzzy", "brillig", "visavis", "thoughtful", "aaaa", "queueing", "schmidt"])
def test_the_rule_gives_phones_of_the_dictionary_only(word: str) -> None:
    phones = sounded(word).split()
    assert phones
    assert all(f" {phone} " in PHONES for phone in phones)


def test_recognized_words_are_written_with_capitals_where_sure() -> None:
    assert written("i think i'm lost in the inn") == "I think I'm lost in the inn"
    assert written("") == ""
