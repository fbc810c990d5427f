"""Check the installation: Python, packages, proxies, and whether the page can be built."""

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from ...models.download.proxies import ignored_proxies
from ...pipeline.hardware.torch_build import torch_build
from ...settings import ROOT, Settings
from ..examination import Examination
from ..finding import BROKEN, WARN, Finding, fault, ok
from ..subprocesses import last_error, run_python


def check_python(_: Examination) -> Iterator[Finding]:
    """Check that Python's version is supported."""
    now, system = platform.python_version(), f"{platform.system()} {platform.release()}"
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        yield fault("python", BROKEN, "FM-PY-001", version=now)
    else:
        yield ok("python", version=now, system=system)


def check_packages(_: Examination) -> Iterator[Finding]:
    """Check that the pinned packages are installed."""
    wanted = requirements(ROOT / "requirements.txt")
    wrong = wrong_packages(wanted)
    if wrong:
        yield fault("packages", BROKEN, "FM-PY-002", packages="; ".join(wrong))
        return
    build = torch_build()
    yield ok("packages", count=len(wanted), torch=build.version, build=build.kind)


def check_proxies(_: Examination) -> Iterator[Finding]:
    """Report proxy variables that are ignored because they are invalid."""
    if names := ignored_proxies():
        yield fault("proxies", WARN, "FM-NET-001", names=", ".join(names))


def check_page(examination: Examination) -> Iterator[Finding]:
    """Check that the page can be built. Skipped when the page itself asks."""
    if not examination.page:
        return
    if error := page_error(examination.settings):
        yield fault("page", BROKEN, "FM-PY-003", error=error)
    else:
        yield ok("page")


def requirements(path: Path) -> list[Requirement]:
    """Read the pinned packages that apply to this system."""
    found: list[Requirement] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text and not text.startswith("-"):
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate():
                found.append(requirement)
    return found


def wrong_packages(packages: list[Requirement]) -> list[str]:
    """Describe the packages that are missing, or of another version than the tested one."""
    wrong: list[str] = []
    for wanted in packages:
        try:
            have: str | None = version(wanted.name)
        except PackageNotFoundError:
            have = None
        if not have:  # its files are not all there: an installation broke off
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(have.split("+")[0], prereleases=True):
            wrong.append(f"{wanted.name} is {have}, it must be {wanted.specifier}")
    return wrong


def page_error(settings: Settings) -> str:
    """Build the page in its own process, as at a start. Return why that failed, or ""."""
    done = run_python(settings, "-P", "-m", "fanslymotion.ui.trial")
    return last_error(done) if done.returncode else ""
