"""A data folder in which everything is small: for benches and tests of what is around the pictures."""

from pathlib import Path

from fanslymotion.settings import ROOT


def tiny_preset(home: Path) -> None:
    """The smallest resolution, which is below the random model's own size, and that model."""
    folder = home / "presets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resolutions.toml").write_text("[tiny]\nwidth = 64\nheight = 64\n", encoding="utf-8")
    few_frames(home)
    random_mini(home)


def few_frames(home: Path) -> None:
    """Half the sampled frames of each length: two windows of `mini` for 6 s, four for 12 s."""
    lengths = "[6s]\nseconds = 6\nfps = 3\n\n[12s]\nseconds = 12\nfps = 3\n"
    (home / "presets" / "durations.toml").write_text(lengths, encoding="utf-8")


def random_mini(home: Path) -> None:
    """`mini` as it is without its trained weights: random ones, 128×72 pixels, a tenth of the time."""
    bundled = (ROOT / "presets" / "models" / "mini.toml").read_text(encoding="utf-8")
    own = home / "presets" / "models" / "mini.toml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(bundled.replace('"assets/mini"', '"assets/no-mini"'), encoding="utf-8")
