"""24 pictures at once that are made to fill the memory: the page stays small, and answers others."""

import pytest
from fanslymotion.bench.photos import crowd

LOGINS = (("anna", "secret-1"), ("ben", "secret-2"))


@pytest.mark.soak
def test_the_page_stays_small_while_24_hostile_pictures_come_in(make_studio) -> None:
    words = [word for login in LOGINS for word in ("--auth", ":".join(login))]
    studio = make_studio("--no-worker", *words)
    found = crowd(studio.url, studio.process.pid, *LOGINS)
    assert set(found["answers"]) == {"200", "400"}, "taken, or refused with a sentence"
    assert found["answers"]["400"] >= 18
    assert found["asked"] > 0, "the other login's requests were answered meanwhile"
    assert found["peak"] - found["rest"] <= 1e9
    assert "Traceback" not in studio.said
