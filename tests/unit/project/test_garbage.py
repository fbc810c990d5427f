"""What is imported without garbage collections is collected as always afterwards."""

import gc
import weakref

import pytest
from fanslymotion.garbage import no_collections


class Ring:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()
    gc.freeze()  # as the collection of the tests has left it


@pytest.mark.parametrize("freeze", [False, True])
def test_afterwards_it_is_collected_as_before(freeze: bool) -> None:
    assert gc.isenabled()
    with no_collections(freeze):
        assert not gc.isenabled()
        within = weakref.ref(Ring())
    assert gc.isenabled()
    later = weakref.ref(Ring())
    gc.collect()
    assert later() is None
    assert (within() is not None) == freeze, "it counts as what stays"


def import_badly() -> None:
    with no_collections():
        with no_collections():
            pass
        assert not gc.isenabled(), "the outer one goes on"
        raise ImportError("no such library")


def test_one_in_the_other_and_an_error_within() -> None:
    with pytest.raises(ImportError):
        import_badly()
    assert gc.isenabled()
