"""The parts that the settings name, made together."""

import asyncio
from pathlib import Path

import pytest

from tests.language.test_minilm import weights, write
from visavis.avatar.catalogue import Catalogue
from visavis.config import Settings
from visavis.language.brain import PersonaBrain
from visavis.language.minilm import MiniLm, find_minilm
from visavis.language.ports import ChatMessage, ChatModel, ChatRequest, TextDelta
from visavis.providers import Providers
from visavis.speech.models import default_directory


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models' folder of a user who has none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return default_directory()


async def asked(chat: ChatModel, text: str) -> str:
    request = ChatRequest((ChatMessage("user", text),))
    return "".join([event.text async for event in chat.stream(request) if isinstance(event, TextDelta)])


async def mind(providers: Providers) -> PersonaBrain:
    """The embedded avatar's."""
    avatars = Catalogue(None).all()
    await asyncio.to_thread(providers.prepare, avatars)
    chat = providers.parts(avatars[0]).chat
    assert isinstance(chat, PersonaBrain)
    return chat


async def test_a_pulled_encoder_is_used(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = store / "minilm"
    folder.mkdir(parents=True)
    write(folder, weights())
    encoded: list[str] = []
    encode = MiniLm.encode
    monkeypatch.setattr(MiniLm, "encode", lambda self, texts: encoded.extend(texts) or encode(self, texts))
    providers = Providers(Settings())
    try:
        await providers.start()
        brain = await mind(providers)
        await asyncio.wait_for(brain.start(), 60)
        assert "What is visavis?" in encoded
        await asked(brain, "who are you exactly")
        assert "who are you exactly" in encoded
    finally:
        await providers.close()


@pytest.mark.parametrize("broken", [False, True])
async def test_without_an_encoder_words_decide(store: Path, broken: bool) -> None:
    if broken:
        (store / "minilm").mkdir(parents=True)
        (store / "minilm" / "model.safetensors").write_bytes(b"no model")
        (store / "minilm" / "vocab.txt").write_text("[CLS]\n[SEP]\n[UNK]\n")
    elif find_minilm() is not None:
        pytest.skip("the encoder is installed in this Python")
    providers = Providers(Settings())
    try:
        await providers.start()
        assert "open-source software" in await asked(await mind(providers), "What is visavis?")
    finally:
        await providers.close()
    assert len(asyncio.all_tasks()) == 1
