"""Parse arguments of commands: photos, job ids, numbers in their ranges; and open the queue."""

import os
import sys
from collections.abc import Callable
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ..console import err, system_language
from ..errors import BadInput, NotFound
from ..messages import Message, as_message, msg
from ..presets.options import LORA_STRENGTH, NUMBERS
from ..settings import SHOWN, Settings

if TYPE_CHECKING:
    from ..queue.jobs import Jobs
    from ..queue.types import Job

KNOWN = {**NUMBERS, LORA_STRENGTH.name: LORA_STRENGTH}

SETTING = ("name", "what")
"""Under one of these a message holds the setting that it refuses."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its first characters.")]
JobIds = Annotated[list[str], typer.Argument(metavar="ID", help="Jobs' ids, or their first characters.")]


def open_jobs() -> tuple["Jobs", Settings]:
    """Open the queue and show its notice, if there is one. Imported late, because --help needs no queue."""
    from ..queue.jobs import Jobs

    settings = Settings.from_env()
    jobs = Jobs(settings)
    show_notice(jobs.notice)
    return jobs, settings


def show_notice(notice: str) -> None:
    """Print a notice about the job list; nothing for ""."""
    if notice:
        said = as_message(notice).say(system_language())
        err().print(
            Text(f"Note: {said} ('fanslymotion jobs seen' puts this note away)", style="yellow"), soft_wrap=True
        )


def find_job(jobs: "Jobs", text: str) -> "Job":
    """Find a job by its id or a unique prefix of it.

    Raises:
        BadInput: No id, or several ids, match.
    """
    unknown = BadInput(msg("there is no job {job!r}; 'fanslymotion jobs list' shows them", job=text[:SHOWN]))
    if not (text.isascii() and text.isalnum()):
        raise unknown
    try:
        return jobs.get(text)
    except NotFound:
        found = [job for job in jobs.list(limit=10_000) if job.id.startswith(text)]
    if not found:
        raise unknown
    if len(found) > 1:
        raise BadInput(
            msg("{text!r} begins the ids of {count} jobs; give a few characters more", text=text, count=len(found))
        )
    return found[0]


def number(name: str) -> Callable[[str], int | float]:
    """Return a parser for a numeric option, with the range of the setting `name`.

    The parser raises `typer.BadParameter`, to which typer adds the option's name.
    """
    known = KNOWN[name]

    def parse(text: str) -> int | float:
        try:
            value = known.kind(text)
        except ValueError:
            value = None
        if value is None or not known.low <= value <= known.high:
            kind = "a whole number" if known.kind is int else "a number"
            raise typer.BadParameter(f"{text!r}; it must be {kind} from {known.low:g} to {known.high:.10g}")
        return value

    return parse


def number_option(name: str, *flags: str, **words: Any) -> Any:
    """Return a numeric option, with the range and the help of the setting `name`.

    Args:
        name: Of the setting.
        *flags: Names of the option; by default derived from the parameter.
        **words: Overrides for `typer.Option`.
    """
    known = {"help": KNOWN[name].described, "parser": number(name), "metavar": "NUMBER"}
    return typer.Option(*flags, **{**known, **words})


def named_as_typed(message: Message, command: Any) -> Message:
    """Return a refusal that names the option as it was typed instead of the setting.

    Args:
        message: The refusal.
        command: The command whose options were typed.
    """
    for key in SETTING:
        setting = message.values.get(key)
        options = next((one.opts for one in command.params if one.name == setting), None)
        if options:
            return message.with_values(**{key: _typed(options)})
    return message


def _typed(options: list[str]) -> str:
    """Return the form of an option that was typed; if none was, its long form, the first of `options`."""
    words = [word.partition("=")[0] for word in sys.argv[1:]]
    return next((option for option in options if option in words), options[0])


def find_photos(named: list[Path], wildcards: bool = sys.platform == "win32") -> list[Path]:
    """Replace each folder by the photos in it, sorted by name. Other files in it are ignored.

    Args:
        named: Files and folders. Files are kept as they are, whatever their names, also missing ones.
        wildcards: Whether `*.jpg` stands for the files of such names, unless a file has that very name. Windows'
            terminals leave this to the program.

    Returns:
        Files.

    Raises:
        BadInput: A folder holds no photo or cannot be read, or wildcards stand for nothing.
    """
    found: list[Path] = []
    for path in chain.from_iterable(map(_expanded, named)) if wildcards else named:
        found += _photos_in(path) if os.path.isdir(path) else [path]  # unlike Path.is_dir false for a too long name
    return found


def _expanded(path: Path) -> list[Path]:
    if not has_magic(str(path)) or os.path.lexists(path):
        return [path]
    if not (found := sorted(map(Path, glob(str(path))))):
        raise BadInput(msg("there is no photo {pattern}; check the name", pattern=str(path)[-SHOWN:]))
    return found


def _photos_in(folder: Path) -> list[Path]:
    shown = str(folder)[-SHOWN:]  # the end tells more
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as e:
        raise BadInput(
            msg("the folder {folder} cannot be read: {error}; check its rights", folder=shown, error=e.strerror)
        ) from e
    suffixes = _suffixes()
    photos = [path for path in files if path.suffix.lower() in suffixes]
    if not photos:
        raise BadInput(
            msg(
                "the folder {folder} holds no photo; name photos, or a folder with JPEG, PNG, WebP, HEIC, AVIF, TIFF, "
                "BMP or GIF files",
                folder=shown,
            )
        )
    return photos


def _suffixes() -> set[str]:
    from PIL import Image

    from ..pipeline.media.photo.load import FORMATS  # with Pillow's plug-ins, HEIC's among them

    return {suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS} | {".jfif"}
