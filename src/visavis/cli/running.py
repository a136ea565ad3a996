"""The application on uvicorn: binding, the line with the address, and an orderly end."""

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Generator
from typing import NoReturn
from urllib.parse import quote

import structlog
import typer
import uvicorn

from visavis.cli.common import fail, settings_errors
from visavis.config import Settings
from visavis.config_values import is_wildcard
from visavis.server import create_app, navtalk_settings
from visavis.wire.navtalk.settings import uvicorn_options
from visavis.wire.redaction import redact_logs

logger = structlog.get_logger(__name__)

EXIT_INTERRUPTED = 130

Drain = Callable[[float], Awaitable[None]]


class _Server(uvicorn.Server):
    """Says its address when it is ready, and lets open calls end before their sockets are closed.

    ``drain`` takes the seconds that running calls may still go on; ``grace`` are those of a polite end. Signals are
    handled by ``run_server``: uvicorn would raise them again when it has stopped, and with that cut off the end of
    everything around it.
    """

    def __init__(self, config: uvicorn.Config, ready: str, drain: Drain, grace: float, patience: float) -> None:
        super().__init__(config)
        self._ready = ready
        self._drain = drain
        self._grace = grace
        self._patience = patience
        self._hurried = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def hurry(self) -> None:
        """Wait for no call any more."""
        self._hurried.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            typer.echo(self._ready)
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if not self._hurried.is_set():
            # The port stays open meanwhile: who calls now is told why there is no call.
            await self._let_calls_end()
        for server in self.servers:
            server.close()
        try:
            async with asyncio.timeout(self._patience):
                await self._drain(0)
        except TimeoutError:
            logger.warning("calls did not end in time", waited=self._patience)
        await super().shutdown(sockets)

    async def _let_calls_end(self) -> None:
        """Until they have ended, their grace is over, or somebody is in a hurry."""
        draining = asyncio.ensure_future(self._drain(self._grace))
        hurried = asyncio.ensure_future(self._hurried.wait())
        limit = self._grace + self._patience
        await asyncio.wait({draining, hurried}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        for task in (draining, hurried):
            task.cancel()
        await asyncio.gather(draining, hurried, return_exceptions=True)


def run_server(settings: Settings, *, show_license: bool) -> None:
    """Serve ``settings`` (which have a license) until a signal. Ends the command when a part cannot start.

    ``show_license`` puts the first license into the printed address.
    """
    redact_logs()
    with settings_errors():
        app = create_app(settings)
    with contextlib.closing(bind(settings.server.host, settings.server.port)) as sock:
        ready = f"visavis is ready: {address(settings, sock.getsockname()[1], show_license=show_license)}"
        config = uvicorn.Config(
            app,
            # The application's lifespan is entered below, where its errors can be told in a line.
            lifespan="off",
            log_config=None,
            server_header=False,
            **uvicorn_options(navtalk_settings(settings)),
            proxy_headers=True,
            forwarded_allow_ips=list(settings.server.trusted_proxies),
            timeout_graceful_shutdown=max(1, round(settings.server.shutdown_timeout)),
        )
        server = _Server(
            config, ready, app.state.drain, settings.server.drain_timeout, settings.server.shutdown_timeout
        )

        async def live() -> None:
            with _signals(server):
                async with app.router.lifespan_context(app):
                    await server.serve(sockets=[sock])

        try:
            with settings_errors():
                asyncio.run(live())
        except asyncio.CancelledError:
            raise typer.Exit(EXIT_INTERRUPTED) from None


@contextlib.contextmanager
def _signals(server: _Server) -> Generator[None]:
    """The first signal ends the server in order, the second without waiting for open requests, the third at once.

    SIGTERM, by which services are stopped, lets running calls end within their grace; SIGINT (Ctrl-C) does not.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if number == signal.SIGINT or len(received) > 1:
            server.hurry()
        server.should_exit = True
        server.force_exit = len(received) > 1
        if not server.started or len(received) > 2:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket's beginning. Ends the command with a plain line when it cannot be had."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        fail(f"cannot listen on {host}: {error.strerror or error}")
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(where)
    except OSError as error:
        sock.close()
        _bind_failed(host, port, error)
    return sock


def _bind_failed(host: str, port: int, error: OSError) -> NoReturn:
    if error.errno == errno.EADDRINUSE:
        fail(f"port {port} on {host} is in use: stop the program that has it, or choose another by --port (0: any)")
    fail(f"cannot listen on port {port} of {host}: {error.strerror}")


def address(settings: Settings, port: int, *, show_license: bool) -> str:
    """The call page's address; with the first license in it when ``show_license``."""
    url = settings.server.public_url
    if url is None:
        host = settings.server.host
        if is_wildcard(host):
            host = "127.0.0.1"
        with contextlib.suppress(ValueError):
            host = f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
        url = f"http://{host}:{port}"
    page = f"{url}/"
    if show_license:
        page += f"?license={quote(settings.licenses[0].key.get_secret_value())}"
    return page
