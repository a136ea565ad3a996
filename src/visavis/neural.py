"""Where settings become neural faces."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visavis.avatar.face import Face
from visavis.avatar.files import PackageError
from visavis.avatar.neural.house import NeuralFaces, open_faces
from visavis.avatar.neural.pictures import source_beside
from visavis.avatar.neural.ports import NeuralError
from visavis.avatar.package import AvatarPackage
from visavis.config import Settings, SettingsError


class Neural:
    """The network of ``avatars.renderer``, once it is started; none for the puppet."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._faces: NeuralFaces[Any] | None = None

    async def start(self) -> None:
        """Load the network. Raises ``SettingsError``."""
        avatars, media = self._settings.avatars, self._settings.media
        if avatars.renderer == "puppet":
            return
        if avatars.network is None:
            raise SettingsError(f"avatars.renderer {avatars.renderer} needs avatars.network, the folder of its files")
        try:
            self._faces = await asyncio.to_thread(
                open_faces,
                avatars.renderer,
                avatars.network,
                media.width,
                media.height,
                device=avatars.device,
                batch=avatars.network_batch,
                drawing=avatars.network_ms / 1000,
            )
        except NeuralError as error:
            raise SettingsError(f"avatars.renderer {avatars.renderer} cannot start: {error}") from None

    def open(self, package: AvatarPackage, path: Path, now: Callable[[], float]) -> Face | None:
        """A session's face. Blocks. Raises ``PackageError``."""
        if self._faces is None:
            return None
        try:
            return self._faces.open(package, now, source_beside(path))
        except NeuralError as error:
            raise PackageError(path.name, "", str(error)) from error

    async def close(self) -> None:
        """End the worker and free the network."""
        if self._faces:
            await asyncio.to_thread(self._faces.close)
