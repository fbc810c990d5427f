"""Define `fanslymotion models …`, mounted by the command line with `app.add_typer(models_app, name="models")`."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len, set_cell_size
from rich.padding import Padding
from rich.progress import Progress
from rich.text import Text

from ..console import err, out
from ..errors import Cancelled, ModelError
from ..fs import users_files
from ..messages import harmless, msg
from ..pipeline.families.base import Forecast
from ..pipeline.families.forecast import duration_text
from ..presets import UNKNOWN, ModelPreset, Presets, UpscalerPreset, load_presets
from ..settings import Settings
from .choice import Recommendation, abilities, purpose_of, recommended
from .distilled import both_kinds
from .download.background import Downloads
from .download.model import gigabytes
from .download.shown import shown_download
from .download.state import DownloadState
from .first_video import first_cost, first_size, first_video
from .loras import list_loras, loras_folder
from .registry import ModelEntry, check, complete, list_models, list_upscalers, remove
from .use import use_model

models_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, download, check, remove models.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A model's or upscaler's name: fanslymotion models list")]


@models_app.callback()
def _models(context: typer.Context) -> None:
    context.with_resource(users_files())  # models may be shared with other users


STYLES = {"ready": "green", "missing": "yellow", "partial": "yellow", "damaged": "red"}
WORDS = {"ready": "yes", "missing": "no", "partial": "in part", "damaged": "damaged"}


@models_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List models and upscalers, and which are downloaded."""
    settings = Settings.from_env()
    presets = load_presets(settings)
    entries = [*list_models(presets, settings), *list_upscalers(presets, settings)]
    if as_json:
        typer.echo(json.dumps([entry.to_json() for entry in entries], ensure_ascii=False, indent=1))
        return
    console = out()
    costs = {
        entry.name: first_cost(entry.preset, presets, settings)
        for entry in entries
        if isinstance(entry.preset, ModelPreset)
    }
    first, (resolution, seconds) = recommended(presets, settings, complete(entries)), first_size(presets)
    heading = ("name", "here", "size", f"{seconds} s, {resolution}", "for")
    rows = [heading, *(_row(entry, costs.get(entry.name)) for entry in entries)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    console.print(_line(rows[0], widths), style="bold")
    for entry, row in zip(entries, rows[1:], strict=True):
        console.print(_line(row, widths, STYLES[entry.state]))
        said = _about(entry, presets, costs.get(entry.name), first)
        about = Padding(Text(said), (0, 0, 0, 2), expand=False)
        console.print(about if console.is_terminal else Text(f"  {said}"), soft_wrap=not console.is_terminal)
    for entry in entries:
        if entry.problem:
            err().print(f"{entry.name}: {entry.problem}", style="dim", soft_wrap=True)


@models_app.command("loras")
def loras_command(as_json: AsJson = False) -> None:
    """List the LoRAs of this machine, and where their files go."""
    settings = Settings.from_env()
    found = list_loras(settings)
    if as_json:
        typer.echo(json.dumps([entry.to_json() for entry in found], indent=1))
        return
    for entry in found:
        name = harmless(entry.name.replace("\n", " "))
        half = f"one half; {entry.missing} is missing for a model with two transformers" if entry.missing else ""
        about = str(entry.problem) or half or ("2 files" if len(entry.paths) > 1 else "")
        typer.echo(f"{name}  {gigabytes(entry.size)}" + (f"  {about}" if about else ""))
    typer.echo(f"Put .safetensors files into {loras_folder(settings)}; use them: --lora NAME:STRENGTH", err=True)


@models_app.command("download")
def download_command(
    name: Name,
    recheck: Annotated[bool, typer.Option("--recheck", help="Hash also what is here already.")] = False,
) -> None:
    """Download a model or an upscaler. Resumes an earlier download. Ctrl+C stops; what is downloaded stays."""
    settings = Settings.from_env()
    presets = load_presets(settings)
    preset = presets.downloadable(name)
    if preset.licence.notice:
        err().print(preset.licence.notice, style="dim", soft_wrap=True)
    if isinstance(preset, ModelPreset) and (time := first_video(preset, presets, settings)):
        typer.echo(time, err=True)  # before gigabytes are fetched
    downloads, owner = Downloads(settings), os.getpid()

    def follow(state: DownloadState) -> None:
        nonlocal owner
        owner = state.pid
        show(state)

    try:
        with shown_download() as show:
            state = downloads.run(name, follow, recheck=recheck)
    except (Cancelled, KeyboardInterrupt) as e:
        if isinstance(e, KeyboardInterrupt) and owner != os.getpid():
            said = f"The download goes on in the background; fanslymotion models cancel {name} ends it."
        else:
            said = f"Stopped. What is downloaded is kept: fanslymotion models download {name} goes on."
        typer.echo(said, err=True)
        raise typer.Exit(130) from None
    if state.status != "done":
        raise ModelError(
            msg("the download of {name} was stopped; fanslymotion models download {name} goes on with it", name=name)
        )
    typer.echo(f"{preset.label} is here and whole: {settings.models / name}")
    if isinstance(preset, UpscalerPreset):
        typer.echo(f"Use it: fanslymotion generate PHOTO --upscaler {name}")
    if preset.licence.powered_by:
        typer.echo(f"{preset.licence.powered_by}. Licence: {preset.licence.name}, {preset.licence.url}")


@models_app.command("cancel")
def cancel_command(name: Name) -> None:
    """Stop a download that runs in the background. What is downloaded stays."""
    settings = Settings.from_env()
    load_presets(settings).downloadable(name)
    Downloads(settings).cancel(name)
    typer.echo(f"The download of {name} stops; what is downloaded is kept.")


@models_app.command("check")
def check_command(name: Name, as_json: AsJson = False) -> None:
    """Check every byte of a model against the hub. Exit code 1 when a file is damaged."""
    settings = Settings.from_env()
    presets = load_presets(settings)
    with Progress(*Progress.get_default_columns(), console=err(), transient=True) as bar:
        task = bar.add_task("checking", total=None)
        bad = check(
            name, presets, settings, lambda file, done, total: bar.update(task, completed=done, total=total)
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"name": name, "damaged": bad}, indent=1))
    elif not bad:
        typer.echo(f"{name} is whole.")
    for path in () if as_json else bad:
        typer.echo(f"damaged: {path}", err=True)
    if bad:
        if not as_json:
            typer.echo(f"Fetch these again, and only these: fanslymotion models download {name}", err=True)
        raise typer.Exit(1)


@models_app.command("remove")
def remove_command(context: typer.Context, name: Name) -> None:
    """Delete a downloaded model. A folder of your own is only forgotten, its files stay."""
    settings = Settings.from_env()
    release = context.obj or (lambda: None)  # the command line's own way to the workers
    freed = remove(name, load_presets(settings), settings, release)
    typer.echo(f"{name} is removed" + (f", {gigabytes(freed)} are free again." if freed else "; its files stay."))


@models_app.command("use")
def use_command(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="A folder of one of the kinds in models list, in diffusers' format. Or a GGUF or safetensors file, "
            "which takes the place of a model's transformer; for a model of two, both files or their folder.",
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="What to call it.", show_default="the folder's name")] = "",
    base: Annotated[
        str,
        typer.Option("--for", metavar="MODEL", help="The model that the files belong to.", show_default="which fits"),
    ] = "",
    distilled: Annotated[
        bool | None,
        typer.Option(
            "--distilled/--not-distilled",
            help="Whether the model takes a few steps without guidance.",
            show_default="as its files and their names say",
        ),
    ] = None,
) -> None:
    """Use a model that you have already; nothing is copied."""
    settings = Settings.from_env()
    preset = use_model(paths, load_presets(settings), settings, name, base, distilled)
    typer.echo(f"{preset.name} is ready: fanslymotion generate PHOTO --model {preset.name}")
    told = [f"It shares all else with {preset.base}."] if preset.weights else []
    if both_kinds(preset):
        sampling = preset.sampling
        guidance = f"with guidance {sampling.max_guidance:g}" if sampling.max_guidance > 1 else "without guidance"
        how = "--distilled and --not-distilled choose otherwise"
        told.append(f"It takes {sampling.steps} steps {guidance}; {how}.")
    if told:
        typer.echo(" ".join(told))


def _row(entry: ModelEntry, cost: Forecast | None) -> tuple[str, ...]:
    preset = entry.preset
    purpose = purpose_of(preset) if isinstance(preset, ModelPreset) else "enlarging"
    time = duration_text(cost.seconds) if cost else ""
    return entry.name, WORDS[entry.state], _size(entry), time, purpose or ""


def _line(row: tuple[str, ...], widths: list[int], style: str = "") -> Text:
    """Set the cells one below the other; the second is the state, in its colour."""
    cells = [set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)]
    line = Text("  ").join([Text(cell, style=style if n == 1 else "") for n, cell in enumerate(cells)])
    line.rstrip()
    return line


def _about(entry: ModelEntry, presets: Presets, cost: Forecast | None, first: Recommendation | None) -> str:
    preset = entry.preset
    parts = [f"{preset.label}.", _summary(entry)]
    if first and first.name == entry.name:
        parts.insert(0, f"Recommended: {first.reason}")
    if isinstance(preset, ModelPreset):
        parts.append(f"{'; '.join([f'{preset.width}×{preset.height}', *abilities(preset, presets)])}.")
        parts.append("Too little memory here." if cost and not cost.fits else "")
        parts.append("New here: only computed times." if preset.trial else "")
    return " ".join(filter(None, (*parts, _licence(entry), preset.licence.powered_by)))


def _summary(entry: ModelEntry) -> str:
    if entry.random:
        return "Untrained stand-in with random weights: shows noise."
    return entry.preset.summary


def _licence(entry: ModelEntry) -> str:
    return "" if entry.preset.licence == UNKNOWN else f"Licence: {entry.preset.licence.name}."


def _size(entry: ModelEntry) -> str:
    if entry.size:
        return gigabytes(entry.size)
    return f"({gigabytes(entry.preset.download_gb * 1e9)})" if entry.preset.download_gb else ""
