"""The `fanslymotion` command. Exit codes: 0 done, 1 failed, 2 bad input, 130 cancelled."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..console import print_json
from ..doctor.command import doctor_command
from ..errors import BadInput, FanslymotionError, ModelError
from ..fs import private_files
from ..messages import msg
from ..models.commands import models_app
from ..models.download.proxies import repair_proxies
from ..pipeline.request import MOST_TAKES
from ..presets.options import AS_PHOTO, BEST, LAST_PHOTO, LORA_STRENGTH, MODES, MOTIONS, NORMAL, OPTIONS, SHAPES
from ..settings import Settings
from .arguments import AsJson, find_photos, named_as_typed, number_option, open_jobs, show_notice
from .exits import BAD_INPUT, CANCELLED, DONE, FAILED, fail, folder_is_here, show_error
from .jobs import jobs_app
from .setup import setup
from .text_streams import discard_output, outliving_its_reader, reader_is_gone, utf8_streams
from .worker import restart_worker, worker

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="One photo in, one short video out, on your own machine.",
)  # fmt: skip
app.add_typer(jobs_app, name="jobs")
app.add_typer(models_app, name="models")
app.command("doctor")(doctor_command)


def main() -> None:
    """Run the command. Errors meant for people become a sentence on stderr and an exit code, never a traceback."""
    try:
        utf8_streams()
        repair_proxies()
        with private_files():
            app(prog_name="fanslymotion", windows_expand_args=False)  # `find_photos` does it where it is meant
    except FanslymotionError as e:
        fail(e)
    except KeyboardInterrupt:  # before typer has begun
        sys.exit(CANCELLED)
    except OSError as e:  # a full disk behind `> file`, a device that is gone
        if isinstance(e, FileNotFoundError) and not folder_is_here():
            fail(BadInput(msg("the folder that this command runs in is gone; change to another one (cd)")))
        discard_output()
        if not reader_is_gone(e):
            with suppress(OSError):
                show_error(
                    f"{e.filename or 'the output'} cannot be used: {e.strerror or e}; check it and its disk's space"
                )
        sys.exit(FAILED)


def release_models() -> None:
    """Ask the workers to let their model go, for `models remove`."""
    jobs, _ = open_jobs()
    jobs.release_models()


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Print the version, and give `models remove` its way to the workers.

    models/ stands below queue/ and knows no workers; it calls what `context.obj` holds.
    """
    context.obj = release_models
    if version:
        print(f"fanslymotion {__version__}")
        raise typer.Exit


@app.command()
def generate(
    context: typer.Context,
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO", help="Photos, and folders of photos; each photo becomes a video.")
    ],
    resolution: Annotated[
        str, typer.Option("--resolution", "-r", help=f"{OPTIONS['resolution'].help} 480p, 720p, 1080p")
    ] = "480p",
    seconds: Annotated[int, typer.Option("--seconds", "-s", help=f"{OPTIONS['seconds'].help} 6 or 12")] = 6,
    quality: Annotated[
        str, typer.Option("--quality", "-q", help=f"{OPTIONS['quality'].help} standard (12 fps), smooth (24 fps)")
    ] = "standard",
    mode: Annotated[str, typer.Option(help=f"{OPTIONS['mode'].help} {', '.join(MODES)}")] = BEST,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help=f"{OPTIONS['model'].help} A name, or a folder.",
            show_default="a real model if here, else mini",
        ),
    ] = "",
    seed: Annotated[int | None, number_option("seed", help=OPTIONS["seed"].help, show_default="random")] = None,
    motion: Annotated[
        str,
        typer.Option(
            help=f"How much moves: {', '.join(MOTIONS)}. Not every model has this setting.", show_default=NORMAL
        ),
    ] = "",
    motion_bucket_id: Annotated[int | None, number_option("motion_bucket_id")] = None,
    steps: Annotated[int | None, number_option("steps")] = None,
    noise_aug_strength: Annotated[
        float | None, number_option("noise_aug_strength", "--noise-aug-strength", "--noise")
    ] = None,
    fps: Annotated[int | None, number_option("fps")] = None,
    shape: Annotated[str, typer.Option(help=f"{OPTIONS['shape'].help} {', '.join(SHAPES)}")] = AS_PHOTO,
    position: Annotated[float | None, number_option("position", show_default="the middle")] = None,
    fit: Annotated[
        str,
        typer.Option(help=f"{OPTIONS['fit'].help} crop (fill the frame) or pad (keep the whole photo)"),
    ] = "crop",
    detail: Annotated[
        bool,
        typer.Option("--detail/--no-detail", help=OPTIONS["detail"].help),
    ] = True,
    upscaler: Annotated[
        str | None,
        typer.Option(
            "--upscaler",
            help=f"{OPTIONS['upscaler'].help} A name: models list.",
            show_default="none: plain enlargement",
        ),
    ] = None,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help=OPTIONS["prompt"].help)] = "",
    idea: Annotated[
        str,
        typer.Option(
            help="A ready prompt, before the text of --prompt: gentle, push-in, orbit, wind, portrait.",
            show_default="none",
        ),
    ] = "",
    loras: Annotated[
        list[str] | None,
        typer.Option(
            "--lora",
            metavar="NAME[:STRENGTH]",
            help=f"{OPTIONS['loras'].help} Names: models loras. May be repeated.",
            show_default="none",
        ),
    ] = None,
    lora_strength: Annotated[
        float | None, number_option(LORA_STRENGTH.name, show_default="1", help="Of the only --lora.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop/--no-loop", help=OPTIONS["loop"].help)] = False,
    int8: Annotated[bool, typer.Option("--int8/--no-int8", help=OPTIONS["int8"].help)] = False,
    last: Annotated[
        Path | None,
        typer.Option(metavar="PHOTO", help=f"{LAST_PHOTO.help} Not every model has it.", show_default="none"),
    ] = None,
    negative_prompt: Annotated[
        str | None, typer.Option(help=OPTIONS["negative_prompt"].help, show_default="the model's")
    ] = None,
    out_path: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="The video's file, or a folder. A name that ends in / is a folder, which is made where it is missing.",
            show_default="the current folder",
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=MOST_TAKES, help="Videos of each photo, each with its own seed.")
    ] = 1,
    as_json: AsJson = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job, or only hand it in.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the job's log.")] = False,
) -> None:
    """Make a video from each photo. Follow the jobs until the videos are saved."""
    from ..presets import load_presets
    from ..queue.jobs import Jobs
    from .deliver import choose_targets
    from .generate import chosen_loras, follow, make_request, report_forecast, report_licence, report_waiting, submit

    try:
        settings = Settings.from_env()
        presets = load_presets(settings)
        request = make_request(
            presets, settings, resolution=resolution, seconds=seconds, quality=quality, mode=mode, model=model,
            seed=seed, motion=motion, motion_bucket_id=motion_bucket_id, steps=steps,
            noise_aug_strength=noise_aug_strength, fps=fps, shape=shape, position=position, fit=fit, detail=detail,
            upscaler=upscaler, prompt=prompt, negative_prompt=negative_prompt, idea=idea,
            loras=chosen_loras(loras or [], lora_strength), loop=loop, int8=int8,
        )  # fmt: skip
        photos = find_photos(photos)
        videos = [photo for photo in photos for _ in range(count)]
        targets = choose_targets(videos, out_path, f"{resolution}-{seconds}s")
        jobs = Jobs(settings)
        show_notice(jobs.notice)
        submitted, refused = submit(jobs, photos, targets, request, count, last)
    except (BadInput, ModelError) as e:  # a model that is not there is as much bad input as a wrong name
        said = named_as_typed(e.message, context.command)
        if as_json:
            print_json({"status": "rejected", "error": str(said)})
        fail(BadInput(said))
    for reason in refused:
        show_error(reason)
    if wait:
        sys.stdout = outliving_its_reader(sys.stdout)  # all videos are made, also after the reader has gone
        report_licence(presets, request.model)
        report_forecast(submitted[0][0], jobs, presets)
        code = follow(jobs, settings, submitted, as_json, verbose)
    else:
        code = report_waiting(submitted, as_json)
    raise typer.Exit(code or (BAD_INPUT if refused else DONE))


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address; 0.0.0.0 lets other computers in, with a login.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port.", show_default="the first free one from 7860", min=1, max=65535)
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Also make a public link for up to a week, with a login.")
    ] = False,
    auth: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USER[:PASSWORD]", help="Ask for this login, may be repeated; others see a password (ps)."
        ),
    ] = None,
    auth_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ask for the logins in this file, one user:password a line.")
    ] = None,
    root_path: Annotated[
        str, typer.Option(metavar="PATH", help="The path at which a reverse proxy shows the page, such as /motion.")
    ] = "",
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    worker: Annotated[bool, typer.Option(help="Keep a worker running beside the page.")] = True,
) -> None:
    """Start the page and a worker."""
    from ..ui.auth.given_logins import given_logins
    from ..ui.serve import serve

    logins = given_logins(auth or [], auth_file)
    serve(Settings.from_env(), host, port, share, logins, open_browser=browser, with_worker=worker, root_path=root_path)


app.command()(worker)
app.command("restart-worker")(restart_worker)
app.command()(setup)
