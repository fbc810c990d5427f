"""Remove private parts from texts: paths, and from crash reports also names, photos and jobs."""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...settings import ROOT, Settings

JOB_ID = re.compile(r"\b[0-9a-f]{12}\b")
TAGGED = re.compile(r"\[[A-Z]+\] ")
QUOTED_PATH = re.compile(r"""(["'])(?:/|[A-Za-z]:[\\/]|\\\\)[^"'\n]*?([^"'\\/\n]*)\1""")
PLAIN_PATH = re.compile(
    r"""(?<![\w.:/\\<])(?:/|[A-Za-z]:[\\/]|\\\\)(?:[^\s"'<>|:;,()\\/]+[\\/])*([^\s"'<>|:;,()\\/]+)"""
)


def without_paths(text: str, settings: Settings) -> str:
    """Shorten every path to its last part: `/home/anna/data/jobs.db` becomes `jobs.db`.

    Known folders are shortened first, because their names may contain spaces.
    """
    for folder in sorted(map(str, (settings.home, settings.models, ROOT, Path.home(), sys.prefix)), key=len)[::-1]:
        # As it is, with the other slash, and as Python's repr and ascii and JSON write it.
        quoted = (repr(folder)[1:-1], ascii(folder)[1:-1], json.dumps(folder)[1:-1])
        for form in {folder, folder.replace("\\", "/"), *quoted}:
            text = re.sub(re.escape(form) + r"(?:\\\\|[\\/])", "/", text)
            text = text.replace(form, Path(folder).name)
    text = QUOTED_PATH.sub(lambda found: f"{found[1]}{found[2]}{found[1]}", text)
    return PLAIN_PATH.sub(lambda found: found[1], text)


def report(system: dict[str, Any], crashes: Iterable[str], names: Iterable[str], settings: Settings) -> str:
    """Return the text of a bug report.

    Args:
        system: Versions, workers, models and checks, for JSON.
        crashes: Last output of crashed workers.
        names: Names of logins and photos, which are removed.
        settings: The data folder, which is removed, too.
    """
    told = [crash_only(crash, names, settings) for crash in crashes]
    return json.dumps({**system, "crashes": [lines for lines in told if lines]}, indent=1, ensure_ascii=False)


def crash_only(last_output: str, names: Iterable[str], settings: Settings) -> list[str]:
    """Keep tracebacks and output of libraries from a worker's last output.

    The program's own log lines are dropped, because any of them may contain a photo's name.
    """
    lines = [line for line in last_output.splitlines() if line.strip() and not TAGGED.match(line)]
    text = JOB_ID.sub("(job)", without_paths("\n".join(lines), settings))
    for name in sorted({name for name in names if len(name) > 2}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "(name)", text)
    return text.splitlines()
