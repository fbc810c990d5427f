"""A terminal that stands still holds up nothing."""

import threading

from fanslymotion.queue.liveness.echo import KEPT, EchoThread


def test_lines_come_in_order() -> None:
    said: list[str] = []
    echo = EchoThread(said.append)
    for number in range(100):
        echo(str(number))
    echo.flush(30)
    assert said == [str(number) for number in range(100)]


def test_a_terminal_that_stands_still_blocks_only_the_echo() -> None:
    go_on, said = threading.Event(), []

    def write(line: str) -> None:
        go_on.wait(30)
        said.append(line)

    echo = EchoThread(write)
    for number in range(3 * KEPT):
        echo(str(number))
    assert said == [], "the lines were taken without waiting for the terminal"
    go_on.set()
    echo.flush(30)
    assert said[-1] == str(3 * KEPT - 1)
    assert len(said) <= KEPT + 1


def test_a_terminal_that_is_gone_is_left_alone() -> None:
    tries: list[str] = []

    def write(line: str) -> None:
        tries.append(line)
        raise OSError("gone")

    echo = EchoThread(write)
    echo("a")
    echo.flush(30)
    echo("b")
    echo.flush(30)
    assert tries == ["a"]
