"""The thread beside the decoder: order, bounds, errors both ways, and none left behind."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from fanslymotion.pipeline.media.encoder_thread import EncoderThread

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
