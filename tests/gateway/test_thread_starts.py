"""A thread that has no memory for its first steps is not waited for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import gateway.thread_starts
from gateway.thread_starts import bound_thread_starts

LIMIT_S = 30


@pytest.fixture(autouse=True)
def bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)  # as before, after the test
    bound_thread_starts()


def test_a_thread_that_ends_before_its_first_steps_raises_and_the_next_ones_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(gateway.thread_starts, "START_LIMIT_S", 0.01)
        patch.setattr(gateway.thread_starts, "AGAIN_S", 3600.0)
        patch.setattr(gateway.thread_starts._Begun, "none_before_s", 0.0)
        patch.setattr(threading, "_start_new_thread", lambda *_: 0)
        patch.setattr(threading, "_start_joinable_thread", lambda *_, **__: None, raising=False)
        with pytest.raises(RuntimeError, match="it does not run"):
            threading.Thread(target=int).start()
        patch.setattr(gateway.thread_starts, "START_LIMIT_S", 3600.0)
        with pytest.raises(RuntimeError, match="the last one did not run"):
            ThreadPoolExecutor(1).submit(int)


def test_a_thread_runs_as_ever_and_once() -> None:
    ran = threading.Event()
    thread = threading.Thread(target=ran.set)
    thread.start()
    assert ran.wait(LIMIT_S)
    with pytest.raises(RuntimeError, match="once"):
        thread.start()
    thread.join(LIMIT_S)
    assert not thread.is_alive()
