"""Presets: the bundled files are whole, a user's own files add or override, and a mistake is named to the letter."""

import pytest
from fanslymotion.errors import BadInput, PresetError
from fanslymotion.models.find import ideas_of
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "presets" / "models").mkdir(parents=True)
    return Settings(home=tmp_path, models=tmp_path / "models", database="sqlite:///unused.db")


FOLDER = 'label = "x"\nsource = "folder"\nfolder = "/x"\nwidth = 64\nheight = 64\nframes = 2\n'


def write(settings, name, text):
    path = settings.presets_dir / name
    path.write_text(text, encoding="utf-8")
    return path


def test_bundled_presets_are_the_choices_of_the_form(settings):
    presets = load_presets(settings)
    assert {n: (r.width, r.height) for n, r in presets.resolutions.items()} == {
        "480p": (848, 480),
        "720p": (1280, 720),
        "1080p": (1920, 1080),
    }
    assert [presets.duration(s).frames for s in (6, 12)] == [36, 72]
    shown = {n: presets.duration(6).fps * q.interpolation for n, q in presets.qualities.items() if not q.advanced}
    assert shown == {"standard": 12, "smooth": 24}
    assert set(presets.models) >= {"mini", "svd", "svd-xt", "svd-xt-1.1"}


def test_ready_prompts_are_said_in_both_languages_and_may_be_added(settings):
    write(settings, "ideas.toml", '[rain]\nlabel = "Rain"\nprompt = "Rain falls."\n[wind]\nprompt = "A storm."\n')
    presets = load_presets(settings)
    bundled = [idea for idea in presets.ideas.values() if idea.name != "rain"]
    assert [idea.name for idea in bundled] == ["gentle", "push-in", "orbit", "wind", "portrait"]
    for idea in bundled:
        assert idea.prompt.isascii(), "it goes to the model"
        assert not idea.prompt_ru.isascii()
        assert not idea.label_ru.isascii()
    assert (presets.idea("rain").prompt, presets.idea("wind").prompt) == ("Rain falls.", "A storm.")
    with pytest.raises(PresetError, match="idea is 'hail'; choose one of gentle, push-in, orbit, wind, portrait, rain"):
        presets.idea("hail")


def test_a_models_preset_says_which_ready_prompts_it_offers(settings):
    presets = load_presets(settings)
    wan = presets.model("wan-5b")
    assert ideas_of(wan, presets) == tuple(presets.ideas)
    assert ideas_of(wan.model_copy(update={"ideas": ("wind", "gone")}), presets) == ("wind",)
    assert ideas_of(presets.model("svd"), presets) == (), "it reads no prompt"


def test_models_that_ask_for_a_notice_have_it(settings):
    for model in load_presets(settings).models.values():
        if model.repository.startswith("stabilityai/"):
            assert model.licence.powered_by == "Powered by Stability AI"
            assert "Copyright" in model.licence.notice


def test_own_table_overrides_single_keys_and_adds_presets(settings):
    write(settings, "resolutions.toml", "[480p]\nwidth = 640\n[tall]\nwidth = 512\nheight = 512\n")
    presets = load_presets(settings)
    assert (presets.resolution("480p").width, presets.resolution("480p").height) == (640, 480)
    assert presets.resolution("tall").width == 512
    assert presets.resolution("1080p").width == 1920


def test_two_durations_of_one_length_are_one_choice(settings):
    write(settings, "durations.toml", "[six]\nseconds = 6\nfps = 8\n[3s]\nseconds = 3\n")
    presets = load_presets(settings)
    assert [(one.name, one.seconds) for one in presets.durations.values()] == [("six", 6), ("12s", 12), ("3s", 3)]
    assert presets.duration(6).fps == 8


def test_own_model_file_adds_a_model_and_replaces_a_bundled_one(settings):
    text = 'label = "{}"\nsource = "folder"\nfolder = "/models/{}"\nwidth = 512\nheight = 320\nframes = 8\n'
    write(settings, "models/mine.toml", text.format("Моя", "mine"))
    write(settings, "models/svd.toml", text.format("SVD, my own", "svd"))
    presets = load_presets(settings)
    assert presets.model("mine").label == "Моя"
    assert (presets.model("svd").source, presets.model("svd").frames) == ("folder", 8)


def test_file_saved_by_windows_notepad_is_read(settings):
    write(settings, "qualities.toml", '\ufeff[slow]\r\nlabel = "Slow"\r\ninterpolation = 1\r\n')
    assert load_presets(settings).quality("slow").interpolation == 1


@pytest.mark.parametrize(
    ("model", "interpolation", "rate"),
    [
        ("svd", 8, (6, 8)),
        ("wan-5b", 1, (24, 1)),
        ("wan-5b", 2, (24, 1)),  # as Standard
        ("wan-5b", 4, (24, 2)),  # as Smooth
        ("wan-5b", 8, (24, 4)),  # twice as smooth as Smooth
        ("wan-14b-fast", 4, (16, 2)),
        ("ltx-2b", 2, (12, 2)),
        ("ltx-2b", 8, (24, 4)),
    ],
)
def test_a_quality_of_the_users_gets_the_models_own_rate(settings, model, interpolation, rate):
    """As the quality nearest to it. A model that samples 24 frames a second would be slow motion at six."""
    write(settings, "qualities.toml", f'[mine]\nlabel = "Mine"\ninterpolation = {interpolation}\n')
    presets = load_presets(settings)
    found = presets.rate(presets.model(model), presets.duration(6), presets.quality("mine"))
    assert (found.fps, found.interpolation) == rate
    assert presets.rate(None, presets.duration(6), presets.quality("mine")).fps == 6, "of a model that is gone"


def test_a_model_may_give_the_rate_of_one_quality_alone(settings):
    write(settings, "models/mine.toml", FOLDER + "[rates.smooth]\nfps = 24\n")
    write(
        settings, "qualities.toml", '[more]\nlabel = "x"\ninterpolation = 8\n[less]\nlabel = "y"\ninterpolation = 2\n'
    )
    presets = load_presets(settings)
    found = {
        name: presets.rate(presets.model("mine"), presets.duration(6), one) for name, one in presets.qualities.items()
    }
    assert {name: (one.fps, one.interpolation) for name, one in found.items()} == {
        "standard": (6, 2),
        "smooth": (24, 1),
        "sampled": (6, 1),
        "more": (24, 2),  # as Smooth
        "less": (6, 2),  # as Standard
    }


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("resolutions.toml", "[480p]\nwidth = 850\n", ["480p: width = 850", "multiple of 8"]),
        ("resolutions.toml", '[480p]\nwidth = "wide"\n', ["480p: width = 'wide'"]),
        ("resolutions.toml", "[480p]\nwidht = 640\n", ["480p: widht = 640"]),
        ("resolutions.toml", "[4k]\nwidth = 3840\n", ["4k: height is missing"]),
        ("resolutions.toml", "480p = 12\n", ["480p = 12", "[480p]"]),
        ("durations.toml", "[6s]\nseconds = 600\n", ["6s: seconds = 600"]),
        ("qualities.toml", "[smooth]\ninterpolation = 3\n", ["smooth: interpolation = 3"]),
        ("qualities.toml", "[smooth\n", ["correct the file or delete it"]),
        ("models/mine.toml", 'label = "x"\nsource = "hub"\nwidth = 64\nheight = 64\nframes = 2\n', ["repository"]),
        ("models/svd.toml", 'label = "x"\nsource = "hub"\n[sampling]\nsteps = 0\n', ["svd: "]),
        ("models/mine.toml", FOLDER + '[sampling]\nsolver = "unipc"\n', ["mine: sampling", "schedule = 'flow'"]),
        ("models/mine.toml", FOLDER + "[rates.smoth]\nfps = 24\n", ["mine: rates.smoth", "standard, smooth, sampled"]),
        ("models/mine.toml", "download_gb = nan\n" + FOLDER, ["mine: download_gb = nan"]),
        (
            "models/mine.toml",
            FOLDER + "[latent_rgb]\nmatrix = [[inf, 0, 0]]\nbias = [0, 0, 0]\n",
            ["latent_rgb.matrix"],
        ),
    ],
)
def test_mistake_is_named_with_file_key_and_value(settings, name, text, says):
    path = write(settings, name, text)
    with pytest.raises(PresetError) as caught:
        load_presets(settings)
    assert [part for part in [str(path), *says] if part not in str(caught.value)] == []


def test_file_that_is_not_text_is_named(settings):
    path = settings.presets_dir / "durations.toml"
    path.write_bytes(b"\xff\xfe\x00[6s]")
    with pytest.raises(PresetError, match=path.name):
        load_presets(settings)


@pytest.mark.parametrize(
    ("pick", "value"),
    [("resolution", "9000p"), ("duration", 7), ("quality", "best"), ("model", "gpt"), ("quality", ["smooth"])],
)
def test_unknown_choice_names_the_known_ones(settings, pick, value):
    presets = load_presets(settings)
    with pytest.raises(BadInput, match="choose one of") as caught:
        getattr(presets, pick)(value)
    assert repr(value) in str(caught.value)
