"""The time of a first video is told before gigabytes are fetched, also of a model that is not here."""

import re

from fanslymotion.models.commands import models_app
from fanslymotion.models.first_video import first_video
from fanslymotion.presets import load_presets
from typer.testing import CliRunner


def test_it_is_told_of_models_that_are_not_here(settings):
    presets = load_presets(settings)
    for name in ("svd-xt", "ltx-2b", "wan-5b"):
        told = first_video(presets.model(name), presets, settings)
        assert re.match(r"A 6 s video at 480p takes about \d+ .* on this computer", told), told


def test_a_model_of_an_unknown_family_has_none(settings):
    presets = load_presets(settings)
    assert first_video(presets.model("svd").model_copy(update={"name": "x", "family": "none"}), presets, settings) == ""


def test_a_download_begins_with_it(hub, settings):
    done = CliRunner().invoke(models_app, ["download", "tiny"])
    assert done.exit_code == 0, done.output
    assert "A 6 s video at 480p takes about" in done.stderr
    assert done.output.index("takes about") < done.output.index("is here and whole")
