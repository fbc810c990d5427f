"""Define `fanslymotion doctor`: show the checks as a table, or as JSON for scripts and bug reports."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ..console import out, system_language
from ..messages import texts
from ..settings import Settings
from .checks import Doctor
from .finding import BROKEN, WARN, Check, worst

STYLES = {"ok": "green", WARN: "yellow", BROKEN: "red", "unknown": "dim"}


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")] = False,
    load: Annotated[bool, typer.Option("--load", help="Also load a model, as a worker would.")] = False,
    language: Annotated[str, typer.Option(help="en or ru.", show_default="the system's")] = "",
) -> None:
    """Check everything that a video needs. Say what is wrong and what to do. Exit code 1 when something is broken."""
    language = language or system_language()
    findings = Doctor(Settings.from_env(), load, page=True).run()
    result, checks = worst(findings), [finding.say(language) for finding in findings]
    if as_json:
        typer.echo(json.dumps({"result": result, "checks": [check.to_json() for check in checks]}, indent=1))
    else:
        console = out()
        for check in checks:
            show(console, check, language)
        count = sum(check.result in (WARN, BROKEN) for check in checks)
        console.print(Text(texts.say("labels", f"summary_{result}", {"count": count}, language), style="bold"))
    if result == BROKEN:
        raise typer.Exit(1)


def show(console: Console, check: Check, language: str) -> None:
    """Print one check."""
    word = texts.say("results", check.result, {}, language)
    line = Text(f"{word:14}", style=STYLES[check.result]).append(f"{check.name}: {check.detail}", style="default")
    console.print(line, soft_wrap=True)
    if check.code:
        for label, text in (("code", check.code), ("cause", check.cause), ("fix", check.fix)):
            name = texts.say("labels", label, {}, language)
            console.print(Text(f"{'':14}{name}: {text}"), soft_wrap=True)
