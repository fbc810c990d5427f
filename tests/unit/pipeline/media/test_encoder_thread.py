"""The thread beside the decoder: order, bounds, errors both ways, and none left behind."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from fanslymotion.pipeline.media.encoder_thread import EncoderThread
from fanslymotion.tests.studio import wait_for

FRAMES = [np.full((1, 1, 3), i, dtype=np.uint8) for i in range(20)]


def never() -> None: ...


def alive() -> bool:
    return any(thread.name == "fanslymotion-encoder" for thread in threading.enumerate())


def test_all_frames_in_order() -> None:
    seen: list[int] = []

    def make(frames: Iterator[np.ndarray]) -> None:
        seen.extend(int(frame[0, 0, 0]) for frame in frames)

    with EncoderThread(make, depth=2) as film:
        for frame in FRAMES:
            film.put(frame, never)
        film.finish(never)
        assert film.finished
    assert seen == list(range(20))
    assert not alive()


def test_the_decoder_waits_for_a_slow_encoder() -> None:
    """Never more than `depth` frames wait, and the caller is asked in between whether to go on."""
    gate, taken, polls = threading.Event(), [], []

    def make(frames: Iterator[np.ndarray]) -> None:
        for frame in frames:
            gate.wait(30)
            taken.append(frame)

    def poll() -> None:
        polls.append(len(taken))
        gate.set()

    with EncoderThread(make, depth=2) as film:
        for frame in FRAMES:
            film.put(frame, poll)
        film.finish(poll)
    assert polls[0] == 0
    assert len(taken) == 20


def test_frames_that_wait_are_no_measure() -> None:
    """Behind a slow thread frames are through as it takes them; all of them when the last one is handed over."""
    steps, held = threading.Semaphore(0), threading.Semaphore(0)

    def make(frames: Iterator[np.ndarray]) -> None:
        for _ in frames:
            held.release()
            steps.acquire()

    with EncoderThread(make, depth=8) as film:
        film.put(FRAMES[0], never)
        held.acquire()
        for frame in FRAMES[1:9]:
            film.put(frame, never)
        assert film.given == 9
        seen = [film.through(20)]
        for frame in FRAMES[9:]:
            steps.release()
            held.acquire()
            film.put(frame, never)
            seen.append(film.through(20))
        assert seen == pytest.approx([20 / 12 * taken for taken in range(1, 13)])
        steps.release(20)
        film.finish(never)


def test_frames_that_do_not_wait_are_through_as_they_come() -> None:
    seen: list[np.ndarray] = []
    with EncoderThread(seen.extend, depth=8) as film:
        for given, frame in enumerate(FRAMES, 1):
            film.put(frame, never)
            wait_for(lambda given=given: film.through(20) == given, pause=0.001)
        film.finish(never)


def test_the_threads_error_is_the_callers() -> None:
    def make(frames: Iterator[np.ndarray]) -> None:
        next(frames)
        raise ValueError("broken pipe")

    def feed() -> None:
        with EncoderThread(make, depth=2) as film:
            while True:
                film.put(FRAMES[0], never)
                if not alive():
                    film.finish(never)

    with pytest.raises(ValueError, match="broken pipe"):
        feed()
    assert not alive()


def test_the_callers_error_ends_the_thread_with_an_exception() -> None:
    """So that the encoder throws its half file away instead of finishing it."""
    ended: list[str] = []

    def make(frames: Iterator[np.ndarray]) -> None:
        try:
            for _ in frames:
                pass
        except BaseException as e:
            ended.append(type(e).__name__)
            raise

    film = EncoderThread(make)

    def interrupted() -> None:
        with film:
            film.put(FRAMES[0], never)
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert len(ended) == 1
    assert not film.finished
    assert not alive()


def test_a_maker_that_needs_no_more_frames() -> None:
    with EncoderThread(lambda frames: None, depth=2) as film:
        for frame in FRAMES:
            film.put(frame, never)
        film.finish(never)
        assert film.finished
