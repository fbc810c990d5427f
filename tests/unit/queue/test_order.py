"""Places in the waiting line behave as those of a list, also where an owner may move only among their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import positions
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

IDS = [f"{number:012x}" for number in range(6)]
moves = st.lists(st.tuples(st.sampled_from(IDS), st.integers(1, len(IDS) + 2)), max_size=12)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Jobs]:
    jobs = Jobs(Settings.local(tmp_path_factory.mktemp("line"), models_dir))
    jobs.store.relax_sync()
    yield jobs
    jobs.close()


def fill(jobs: Jobs, owners: list[str], gap: float) -> None:
    table = jobs.store.tables.Job
    with jobs.store.write():
        table.delete().execute()
        for number, (job_id, owner) in enumerate(zip(IDS, owners, strict=True)):
            row = {"id": job_id, "owner": owner, "position": number * gap, "name": "n", "request": "{}", "created": 0.0}
            table.insert(**row, status=Status.QUEUED).execute()


def now(jobs: Jobs) -> list[str]:
    return [job.id for job in jobs.list(statuses=[Status.QUEUED])]


@limits(max_examples=40)
@given(moves=moves, gap=st.sampled_from([positions.GAP, 1.0, positions.SMALLEST_GAP, 0.0]))
def test_a_move_is_a_lists_move(line: Jobs, moves: list[tuple[str, int]], gap: float) -> None:
    """gap: between two places before; the line is numbered anew where doubles have no room."""
    fill(line, [""] * len(IDS), gap)
    expected = list(IDS)
    for job_id, place in moves:
        line.move(job_id, place)
        expected.remove(job_id)
        expected.insert(place - 1, job_id)
        assert now(line) == expected


@limits(max_examples=40)
@given(moves=moves, owners=st.lists(st.sampled_from(["anna", "ben"]), min_size=len(IDS), max_size=len(IDS)))
def test_an_owner_moves_only_among_their_own(line: Jobs, moves: list[tuple[str, int]], owners: list[str]) -> None:
    fill(line, owners, positions.GAP)
    owner_of = dict(zip(IDS, owners, strict=True))
    for job_id, place in moves:
        before, owner = now(line), owner_of[job_id]
        line.move(job_id, place, owner=owner)
        after = now(line)
        assert [owner_of[one] for one in after] == owners, "every place stays its owner's"
        assert [one for one in after if owner_of[one] != owner] == [one for one in before if owner_of[one] != owner]
        assert [one for one in after if one != job_id and owner_of[one] == owner] == [
            one for one in before if one != job_id and owner_of[one] == owner
        ]
        own = [at for at, one in enumerate(owners, 1) if one == owner]
        if place in own:
            assert after.index(job_id) + 1 == place
        elif place > before.index(job_id) + 1:
            assert after.index(job_id) + 1 == min([at for at in own if at > place], default=own[-1])
        else:
            assert after.index(job_id) + 1 == max([at for at in own if at < place], default=own[0])
