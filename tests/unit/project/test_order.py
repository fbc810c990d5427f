"""Which tests run beside which others: tests/order.py."""

from fanslymotion.tests.order import TOGETHER, next_unit


def begun(units: list[str], processes: list[int]) -> list[str]:
    """What each of `processes` is given, one after the other."""
    left, given = list(units), []
    for process in processes:
        given.append(next_unit(left, process))
        left.remove(given[-1])
    assert left == []
    return given


def test_those_that_wait_run_beside_those_that_compute():
    browser, api = (f"{folder}test_page.py" for folder in TOGETHER)
    units = [browser, api, "tests/faults/test_kills.py::test_one", "tests/unit/test_light.py"]
    assert begun(units, [0, 1, 3, 2]) == [browser, units[2], units[3], api]


def test_who_has_run_all_of_its_kind_helps_with_the_other():
    page = f"{TOGETHER[0]}test_page.py"
    assert begun([page, "tests/unit/test_a.py", "tests/unit/test_b.py"], [0, 0, 2]) == [
        page,
        "tests/unit/test_a.py",
        "tests/unit/test_b.py",
    ]
    assert begun([page], [1]) == [page]
