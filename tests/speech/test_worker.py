import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from visavis.speech import worker as worker_module
from visavis.speech.worker import WorkerError, WorkerProcess

PROGRAM = """
import os, sys, time
from visavis.speech.workers.serving import serve

def load(options):
    if options.get("broken"):
        raise RuntimeError("no model here")
    if options.get("slow"):
        time.sleep(60)
    if options.get("dies"):
        os._exit(3)
    print("loading, on standard output", flush=True)

    def echo(request):
        request.reply({"text": request.data["text"]}, request.payload[::-1])

    def count(request):
        for n in range(request.data["to"]):
            request.reply({"n": n})

    def total(request):
        total = 0
        for message in request.inputs():
            if message.operation == "sum":
                request.reply({"total": total})
                return
            total += len(message.payload)

    def endless(request):
        n = 0
        while True:
            n += 1
            request.reply({"n": n})
            time.sleep(0.01)

    def flood(request):
        for _ in range(8):
            request.reply(payload=bytes(1 << 20))

    def crash(request):
        os._exit(7)

    def fail(request):
        raise ValueError("cannot do that")

    def nothing(request):
        pass

    def environment(request):
        request.reply({"threads": os.environ["OPENBLAS_NUM_THREADS"], "extra": os.environ.get("EXTRA")})

    def hang(request):
        time.sleep(600)

    return dict(locals(), options=None)

if __name__ == "__main__":
    if "nonsense" in sys.argv[1]:
        print("not a frame at all", flush=True)
    serve(load)
"""


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "toy_worker.py").write_text(PROGRAM)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
async def worker(place: dict[str, str]) -> AsyncIterator[WorkerProcess]:
    worker = WorkerProcess("toy_worker", environment=place | {"EXTRA": "yes"}, restarts=2)
    await worker.start()
    yield worker
    await worker.close()


async def test_a_call_carries_data_and_bytes_both_ways(worker: WorkerProcess) -> None:
    payload = bytes(range(256)) * 5000
    reply = await worker.call("echo", {"text": "größe\n"}, payload)
    assert reply.data == {"text": "größe\n"}
    assert reply.payload == payload[::-1]


async def test_an_exchange_gives_its_replies_in_order_and_ends(worker: WorkerProcess) -> None:
    async with await worker.open("count", {"to": 500}) as exchange:
        assert [reply.data["n"] async for reply in exchange] == list(range(500))
        assert await exchange.receive() is None


async def test_input_reaches_a_running_exchange(worker: WorkerProcess) -> None:
    async with await worker.open("total") as exchange:
        for size in (10, 20, 30):
            exchange.send(payload=bytes(size))
        exchange.send("sum")
        reply = await exchange.receive()
        assert reply is not None
        assert reply.data["total"] == 60
        assert await exchange.receive() is None
        with pytest.raises(WorkerError):
            exchange.send(payload=b"late")


async def test_concurrent_calls_get_their_own_answers(worker: WorkerProcess) -> None:
    replies = await asyncio.gather(*(worker.call("echo", {"text": str(n)}) for n in range(50)))
    assert [reply.data["text"] for reply in replies] == [str(n) for n in range(50)]


async def test_leaving_an_exchange_stops_the_worker_at_it(worker: WorkerProcess) -> None:
    async with await worker.open("endless") as exchange:
        assert await exchange.receive() is not None
    # The worker does one thing at a time: an answer shows that the endless one was stopped.
    assert (await worker.call("echo", {"text": "free"}, within=5)).data["text"] == "free"


async def test_a_waiting_exchange_can_be_cancelled(worker: WorkerProcess) -> None:
    async with await worker.open("total") as exchange:
        exchange.cancel()
        exchange.cancel()
        assert await exchange.receive() is None
    assert (await worker.call("echo", {"text": "free"}, within=5)).data["text"] == "free"


async def test_a_handlers_error_is_told_and_the_worker_lives(worker: WorkerProcess) -> None:
    pid = worker.pid
    with pytest.raises(WorkerError, match="cannot do that"):
        await worker.call("fail")
    with pytest.raises(WorkerError, match="gave no answer"):
        await worker.call("nothing")
    with pytest.raises(WorkerError):
        await worker.call("no such operation")
    assert (await worker.call("echo", {"text": "still here"})).data["text"] == "still here"
    assert worker.pid == pid


async def test_a_crash_fails_what_is_under_way_and_the_next_call_starts_a_new_child(worker: WorkerProcess) -> None:
    first = worker.pid
    waiting = asyncio.create_task(worker.call("total"))
    async with await worker.open("endless") as endless:
        await asyncio.sleep(0)
        os.kill(first or 0, signal.SIGKILL)
        with pytest.raises(WorkerError, match="exit status -9"):
            async for _ in endless:
                pass
    with pytest.raises(WorkerError):
        await waiting
    assert not worker.running
    assert (await worker.call("echo", {"text": "again"})).data["text"] == "again"
    assert worker.pid != first


async def test_a_worker_that_keeps_crashing_is_given_up_for_a_while(worker: WorkerProcess) -> None:
    for _ in range(3):
        with pytest.raises(WorkerError, match="exit status 7"):
            await worker.call("crash")
    with pytest.raises(WorkerError, match="crashed 3 times"):
        await worker.call("echo", {"text": "anybody?"})
    assert worker.pid is None


async def test_a_call_that_takes_too_long_fails(worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "CANCEL_GRACE", 0.3)
    stuck = worker.pid
    with pytest.raises(WorkerError, match="did not answer"):
        await worker.call("hang", within=0.2)
    # The child does not react to the cancellation, so it is killed, and the next call is served by another.
    assert stuck is not None
    with pytest.raises(WorkerError):
        await worker.call("echo", {"text": "waiting behind it"}, within=20)
    assert not psutil.pid_exists(stuck)
    assert (await worker.call("echo", {"text": "back"})).data["text"] == "back"


async def test_too_much_unread_fails_the_exchange(worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "MAX_UNREAD", 2 << 20)
    async with await worker.open("flood") as exchange:
        await worker.call("echo", {"text": "behind it"})
        with pytest.raises(WorkerError, match="fast enough"):
            async for _ in exchange:
                pass


async def test_a_backlog_has_a_bound(worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "MAX_BACKLOG", 1 << 20)
    async with await worker.open("total") as exchange:
        for _ in range(10):
            exchange.send(payload=bytes(100_000))
        with pytest.raises(WorkerError, match="behind"):
            exchange.send(payload=bytes(1 << 20))


async def test_the_child_gets_one_thread_and_the_given_environment(worker: WorkerProcess) -> None:
    assert (await worker.call("environment")).data == {"threads": "1", "extra": "yes"}


async def test_close_leaves_no_process_and_no_task(place: dict[str, str]) -> None:
    before = asyncio.all_tasks()
    worker = WorkerProcess("toy_worker", environment=place)
    await worker.start()
    pid = worker.pid
    async with await worker.open("endless") as exchange:
        await exchange.receive()
        await worker.close()
        with pytest.raises(WorkerError):
            async for _ in exchange:
                pass
    await worker.close()
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert asyncio.all_tasks() == before
    with pytest.raises(WorkerError, match="closed"):
        await worker.call("echo", {"text": "x"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"broken": True}, "no model here"),
        ({"slow": True}, "not ready"),
        ({"dies": True}, "exit status 3"),
        ({"nonsense": True}, "nonsense"),
    ],
)
async def test_a_failed_start_says_why_and_leaves_nothing(
    place: dict[str, str], options: dict[str, bool], message: str
) -> None:
    children = psutil.Process().children()
    worker = WorkerProcess("toy_worker", options, environment=place, start_timeout=1.5)
    with pytest.raises(WorkerError, match=message):
        await worker.start()
    assert not worker.running
    await worker.close()
    assert psutil.Process().children() == children


async def test_an_unknown_program_is_an_error(place: dict[str, str]) -> None:
    worker = WorkerProcess("no_such_worker", environment=place)
    with pytest.raises(WorkerError, match="exit status 1"):
        await worker.start()
    await worker.close()


async def test_a_cancelled_start_leaves_nothing(place: dict[str, str]) -> None:
    children = psutil.Process().children()
    worker = WorkerProcess("toy_worker", {"slow": True}, environment=place)
    starting = asyncio.create_task(worker.start())
    await asyncio.sleep(0.2)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert psutil.Process().children() == children
    await worker.close()


async def test_what_the_child_prints_is_logged(place: dict[str, str]) -> None:
    with capture_logs() as logs:
        worker = WorkerProcess("toy_worker", environment=place)
        await worker.call("echo", {"text": "x"})
        with pytest.raises(WorkerError):
            await worker.call("fail")
        await worker.close()
    lines = [entry.get("line", "") for entry in logs]
    assert "loading, on standard output" in lines
    assert any("ValueError: cannot do that" in line for line in lines)


PARENT = """
import asyncio, os
from visavis.speech.worker import WorkerProcess

async def main():
    worker = WorkerProcess("toy_worker")
    await worker.open("hang")
    print(worker.pid, flush=True)
    os._exit(0)

asyncio.run(main())
"""


def test_the_child_ends_with_its_parent(place: dict[str, str]) -> None:
    parent = subprocess.run(
        [sys.executable, "-c", PARENT], env=os.environ | place, capture_output=True, text=True, timeout=30, check=True
    )
    child = int(parent.stdout.split()[-1])
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(10)
    assert not psutil.pid_exists(child)
