"""The worker's half: a loop that answers the requests of the process that started it.

A worker program is a module with a ``load`` function and ``serve(load)`` under ``if __name__ == "__main__"``::

    def load(options: Mapping[str, Any]) -> Mapping[str, Handler]:
        engine = Engine(options["voice"])              # slow things happen here, before "ready"
        def speak(request: Request) -> None:
            for sound in engine.speak(request.data["text"]):
                request.reply(payload=sound)           # raises RequestCancelled when nobody waits any more
        return {"speak": speak}

Handlers run one at a time on the main thread, in the order of the requests. A second thread reads the pipe, so that a
cancellation reaches a running handler; it ends the process at once when the pipe closes, that is, when the parent is
gone. Whatever libraries print to standard output goes to standard error, which the parent logs.
"""

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, NoReturn

from visavis.speech.workers.frame import Frame, FrameError, read_frame

MAX_REQUESTS = 1024
"""Requests waiting at most; then the pipe is not read on, and the parent sees its backlog grow."""

MAX_INPUTS = 8192
"""Inputs of one request waiting at most; one more fails the request."""


class RequestCancelled(Exception):
    """Nobody waits for this request any more; let it end the handler."""


class Request:
    """One exchange, as its handler sees it."""

    def __init__(self, frame: Frame, write: Callable[[Frame], None]) -> None:
        self.id = frame.id
        self.operation = frame.operation
        self.data = frame.data
        self.payload = frame.payload
        self._write = write
        self._cancelled = threading.Event()
        self._overflow = threading.Event()
        # One place more than MAX_INPUTS, so that the marker that wakes a waiting handler always fits.
        self._inputs: queue.Queue[Frame | None] = queue.Queue(MAX_INPUTS + 1)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more; look at it between steps of long work."""
        return self._cancelled.is_set()

    def reply(self, data: Mapping[str, Any] | None = None, payload: bytes = b"") -> None:
        """Send one reply. Raises ``RequestCancelled``."""
        if self.cancelled:
            raise RequestCancelled
        self._write(Frame(self.id, "reply", data=data or {}, payload=payload))

    def inputs(self) -> Iterator[Frame]:
        """Further input as it arrives (``operation``, ``data``, ``payload``). Raises ``RequestCancelled``."""
        while True:
            frame = self._inputs.get()
            if self._overflow.is_set():
                raise OverflowError("more input than the worker can hold")
            if frame is None or self.cancelled:
                raise RequestCancelled
            yield frame

    def feed(self, frame: Frame) -> None:
        """Called by the reading thread: one more input."""
        if self._inputs.qsize() < MAX_INPUTS:
            self._inputs.put(frame)
        else:
            self._overflow.set()

    def cancel(self) -> None:
        """Called by the reading thread: stop."""
        if not self.cancelled:
            self._cancelled.set()
            self._inputs.put(None)


Handler = Callable[[Request], None]
Load = Callable[[Mapping[str, Any]], Mapping[str, Handler]]


def serve(load: Load) -> NoReturn:
    """Load, say ``ready``, then answer requests until the parent closes the pipe.

    ``load`` gets the options that the parent gave (a JSON object, the program's only argument). What it raises is told
    to the parent, and the process ends.
    """
    server = _Server(*_claim_pipes())
    threading.Thread(target=server.read, name="worker-reader", daemon=True).start()
    try:
        handlers = load(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
    except Exception as error:
        traceback.print_exc()
        server.write(Frame(0, "failed", message=_describe(error)))
        os._exit(1)
    server.write(Frame(0, "ready"))
    server.run(handlers)


class _Server:
    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._lock = threading.Lock()
        self._waiting: queue.Queue[Request] = queue.Queue(MAX_REQUESTS)
        self._requests: dict[int, Request] = {}

    def write(self, frame: Frame) -> None:
        data = frame.encode()
        try:
            with self._lock:
                self._sink.write(data)
                self._sink.flush()
        except BrokenPipeError:
            os._exit(0)

    def run(self, handlers: Mapping[str, Handler]) -> NoReturn:
        while True:
            request = self._waiting.get()
            closing = Frame(request.id, "end")
            try:
                if not request.cancelled:
                    handlers[request.operation](request)
            except RequestCancelled:
                pass
            except Exception as error:
                traceback.print_exc()
                closing = Frame(request.id, "error", message=_describe(error))
            del self._requests[request.id]
            self.write(closing)

    def read(self) -> None:
        try:
            while (frame := read_frame(self._source)) is not None:
                if frame.kind == "request":
                    request = self._requests[frame.id] = Request(frame, self.write)
                    self._waiting.put(request)
                elif (request := self._requests.get(frame.id)) is not None:
                    if frame.kind == "cancel":
                        request.cancel()
                    else:
                        request.feed(frame)
        except (FrameError, OSError):
            traceback.print_exc()
        finally:
            # Not sys.exit: the main thread may be deep in a library, and nobody is left to answer to.
            os._exit(0)


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The protocol's two ends, taken away from whatever else reads standard input or prints to standard output."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return source, sink


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
