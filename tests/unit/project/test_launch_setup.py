"""launch.py at work: a small checkout of its own, a real virtual environment, a real pip, real kills."""

import ast
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from fanslymotion.launcher import environment
from fanslymotion.launcher.environment import NO_PYTHON, Setup
from fanslymotion.launcher.installer import Installer
from fanslymotion.launcher.lock import only_one
from fanslymotion.launcher.machine import Machine
from fanslymotion.launcher.main import ROOT
from fanslymotion.launcher.packages import half_installed, site_packages
from fanslymotion.launcher.report import SetupError
from fanslymotion.launcher.torch_build import TorchBuild
from fanslymotion.tests.small_checkout import new_checkout, require

if sys.platform != "win32":
    import fcntl

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links the environment's Python to nowhere")


def run(root: Path, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"FANSLYMOTION_TORCH": "pypi"} | extra
    command = [sys.executable, str(root / "launch.py"), *words]
    return subprocess.run(
        command, env=env, capture_output=True, encoding="utf-8", errors="replace", timeout=280, cwd="/"
    )


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    return new_checkout(tmp_path_factory.mktemp("my studio") / "фансли")


@pytest.fixture(scope="module")
def first_start(new):
    return run(new, "generate", "a photo.jpg")


@pytest.fixture(scope="module")
def shared_checkout(new, first_start):
    return new


@pytest.fixture
def checkout(shared_checkout):
    """A checkout with version 1.0 installed. One environment serves all tests; `setup` undoes what the last one did."""
    require(shared_checkout, "1.0")
    done = run(shared_checkout, "setup")
    assert done.returncode == 0, done.stderr
    return shared_checkout


def site(root: Path) -> Path:
    machine = Machine.this()
    return Path(site_packages(root / ".venv", machine, machine.python))


def installer(root: Path, machine: Machine) -> Installer:
    return Installer(root / ".venv" / "bin" / "python", machine, root, site(root))


def test_first_start_sets_up_and_hands_over_with_a_clean_stdout(first_start):
    assert (first_start.returncode, first_start.stdout) == (0, "1.0 ['generate', 'a photo.jpg']\n"), first_start.stderr
    assert "making" in first_start.stderr


def test_second_start_changes_nothing(checkout):
    before = (checkout / ".venv" / "fanslymotion.json").stat().st_mtime_ns
    done = run(checkout, "models", "list")
    assert (done.stdout, done.stderr) == ("1.0 ['models', 'list']\n", "")
    assert (checkout / ".venv" / "fanslymotion.json").stat().st_mtime_ns == before


def test_the_launcher_needs_no_package():
    """-S: without site-packages, as on a fresh machine. -I: and without the folder that one stands in."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import launcher.main; print('read')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, encoding="utf-8")
    assert done.stdout == "read\n", done.stderr


def test_a_python_that_does_not_search_the_scripts_folder_finds_the_rest_of_the_launcher(checkout):
    assert run(checkout, "x", PYTHONSAFEPATH="1").stdout == "1.0 ['x']\n"


def test_a_start_without_stderr_runs(checkout):
    """As cron jobs and services close it: `launch.sh generate photo.jpg 2>&-`."""
    command = ["sh", "-c", 'exec "$0" "$@" 2>&-', sys.executable, str(checkout / "launch.py"), "x"]
    env = os.environ | {"FANSLYMOTION_TORCH": "pypi"}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, encoding="utf-8", timeout=280)
    assert (done.returncode, done.stdout) == (0, "1.0 ['x']\n")


def test_a_disk_without_locks_is_said_and_not_waited_for(tmp_path, monkeypatch, capsys):
    """As some network folders: each attempt fails, and will for ever."""

    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with only_one(tmp_path / "lock"):
        assert "waiting" not in capsys.readouterr().err


@pytest.mark.parametrize("stamp", ["null", "[1]", '"x"', "", "\0\0"])
def test_a_damaged_stamp_counts_as_none(tmp_path, stamp):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "fanslymotion.json").write_text(stamp, encoding="utf-8")
    assert Setup(tmp_path, Machine.this())._read_stamp() == {}


def test_an_environment_that_has_become_the_systems_python_does_not_fit(checkout):
    """Without pyvenv.cfg its Python is the one that it was made with, and packages would go there."""
    setup, config = Setup(checkout, Machine.this()), checkout / ".venv" / "pyvenv.cfg"
    assert setup._fits()
    hidden = config.rename(config.with_suffix(".hidden"))
    try:
        assert not setup.ready(dev=False)
        assert not setup._fits()
    finally:
        hidden.rename(config)


def test_an_index_that_answers_strangely_counts_as_silent():
    """A proxy that speaks no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-proxy\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        assert not environment.answers(f"http://127.0.0.1:{server.getsockname()[1]}/torch/")


def test_a_python_that_is_too_old_is_told_so():
    """launch.py itself is read by Python 3.8; what it would import is not."""
    source = (ROOT / "launch.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
    code = f"import sys; sys.version_info = (3, 8, 18); sys.argv = ['launch.py']; exec({source!r})"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "fanslymotion: this is Python 3.8; fanslymotion needs 3.11, 3.12 or 3.13\n"


def test_a_setup_after_a_driver_update_takes_another_build(checkout, monkeypatch):
    """`launch.sh setup` is what the doctor tells people to run; a plain start leaves everything as it is."""
    setup = Setup(checkout, Machine.this())
    setup.asked = "pypi"
    assert setup.ready(dev=False)
    assert setup.ready(dev=False, asked=True)
    other = TorchBuild("cu130", "CUDA 13.0 for the new driver")
    monkeypatch.setattr(environment, "choose_torch", lambda *_: other)
    assert setup.ready(dev=False)
    assert not setup.ready(dev=False, asked=True)


def test_a_wish_for_a_build_is_remembered_until_it_is_taken_back(checkout, monkeypatch):
    """FANSLYMOTION_TORCH=rocm… for the set-up alone: the next start must not put the CPU build in its place."""
    asked = {}
    for wish in ("", "auto"):
        monkeypatch.setenv("FANSLYMOTION_TORCH", wish)
        asked[wish] = Setup(checkout, Machine.this()).asked
    assert asked == {"": "pypi", "auto": ""}
    assert "installing" not in run(checkout, "x", FANSLYMOTION_TORCH="").stderr


def test_changed_requirements_are_installed(checkout):
    require(checkout, "1.1")
    assert run(checkout, "x").stdout == "1.1 ['x']\n"


def test_failed_install_says_so_and_the_next_start_goes_on(checkout):
    good = (checkout / "requirements.txt").read_text(encoding="utf-8")
    (checkout / "requirements.txt").write_text("./no-such-1.0-py3-none-any.whl\n", encoding="utf-8")
    failed = run(checkout, "x")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "pip could not finish" in failed.stderr
    assert "Traceback" not in failed.stderr
    (checkout / "requirements.txt").write_text(good, encoding="utf-8")
    assert run(checkout, "x").stdout == "1.0 ['x']\n"


def test_pip_installs_what_uv_cannot(checkout):
    require(checkout, "1.2")
    done = run(checkout, "x", UV_LINK_MODE="no such mode")
    assert done.stdout == "1.2 ['x']\n", done.stderr
    assert "trying with pip" in done.stderr


@pytest.mark.soak
def test_pip_installs_where_its_configuration_has_no_counterpart_in_uv(checkout):
    require(checkout, "1.3")
    done = run(checkout, "x", PIP_PRE="1", UV_LINK_MODE="no such mode")
    assert done.stdout == "1.3 ['x']\n", done.stderr
    assert "uv" not in done.stderr


@pytest.mark.soak
def test_pip_installs_what_is_damaged_in_uvs_cache(checkout, tmp_path):
    """A power cut, a full disk, a virus scanner: the installed file and the cache's are one and the same."""
    require(checkout, "1.4")
    own = {"UV_CACHE_DIR": str(tmp_path / "cache"), "UV_LINK_MODE": "hardlink"}
    assert run(checkout, "x", **own).stdout == "1.4 ['x']\n"
    damaged = site(checkout) / "fanslymotion" / "part7.py"
    assert damaged.stat().st_nlink > 1
    os.truncate(damaged, 0)
    done = run(checkout, "setup", **own)
    assert done.returncode == 0, done.stderr
    assert damaged.read_text(encoding="utf-8") == "x = 1\n"


@pytest.mark.soak
def test_pip_installs_anew_what_uv_left_half_done(checkout, monkeypatch):
    """A package with METADATA counts as installed, with whatever files."""
    part = site(checkout) / "fanslymotion" / "part7.py"
    half = f"import os, sys; os.unlink({str(part)!r}); sys.exit(1)"
    monkeypatch.setattr(Installer, "_uv", {})
    monkeypatch.setattr(Installer, "_uv_command", lambda _: [sys.executable, "-c", half])
    installer(checkout, Machine.this()).install(["-r", "requirements.txt"], "it")
    assert half_installed(site(checkout)) == []
    assert part.exists()


@pytest.mark.soak
def test_on_windows_no_file_is_shared_with_other_environments(checkout):
    """Windows deletes none of a file's links while any program has it loaded."""
    require(checkout, "1.5")
    windows = installer(checkout, Machine("Windows", "amd64", Machine.this().python))
    windows.install(["-r", "requirements.txt"], "it")
    part = site(checkout) / "fanslymotion" / "part7.py"
    assert part.stat().st_nlink > 1, "until all is installed, a set-up that was ended has it in its cache"
    windows.clean()
    assert part.stat().st_nlink == 1


@pytest.mark.soak
def test_a_package_whose_files_vanish_ends_the_setup_and_is_installed_by_the_next(checkout):
    require(checkout, "1.7", absent=1)
    failed = run(checkout, "x", PIP_PRE="1")  # with pip: uv does not take over a name without a file
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "files of fanslymotion-1.7 vanished" in failed.stderr
    require(checkout, "1.7")
    assert run(checkout, "x").stdout == "1.7 ['x']\n"


@pytest.mark.soak
def test_pips_configuration_is_read_whatever_the_systems_code_page(checkout, tmp_path):
    folder = tmp_path / "колёса"
    folder.mkdir()
    require(checkout, "1.6")
    done = run(checkout, "x", PYTHONIOENCODING="cp1251", PIP_FIND_LINKS=str(folder))
    assert done.stdout == "1.6 ['x']\n", done.stderr
    assert "trying with pip" not in done.stderr


def test_install_killed_at_any_moment_is_repaired(checkout):
    require(checkout, "2.0", files=3000)
    env = os.environ | {"FANSLYMOTION_TORCH": "pypi"}
    command = [sys.executable, str(checkout / "launch.py"), "setup"]
    starting = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first_file = site(checkout) / "fanslymotion" / "part10.py"  # of none but this version
    while starting.poll() is None and not first_file.exists():
        time.sleep(0.005)
    launcher = psutil.Process(starting.pid)
    for process in [launcher, *launcher.children(recursive=True)]:  # it first: it would begin anew, with pip
        process.kill()
    starting.wait()
    assert not (checkout / ".venv" / "fanslymotion.json").exists(), "the kill came too late to mean anything"
    done = run(checkout, "x")
    assert done.stdout == "2.0 ['x']\n", done.stderr
    assert len(list((site(checkout) / "fanslymotion").glob("part*.py"))) == 3000
    assert half_installed(site(checkout)) == []


def test_two_starts_at_once_take_turns(checkout):
    require(checkout, "3.0", files=500)
    env = os.environ | {"FANSLYMOTION_TORCH": "pypi"}
    command = [sys.executable, str(checkout / "launch.py"), "x"]
    both = [
        subprocess.Popen(command, env=env, stdout=-1, stderr=-1, encoding="utf-8", errors="replace") for _ in range(2)
    ]
    answers = [process.communicate(timeout=280) for process in both]
    assert [stdout for stdout, _ in answers] == ["3.0 ['x']\n"] * 2
    installs = sum("installing the packages" in stderr for _, stderr in answers)
    assert installs == 1


def test_setup_on_a_whole_environment_needs_no_network_and_changes_nothing(checkout):
    before = (checkout / ".venv" / "fanslymotion.json").stat().st_mtime_ns
    done = run(checkout, "setup", PIP_INDEX_URL="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert (checkout / ".venv" / "fanslymotion.json").stat().st_mtime_ns == before


@pytest.mark.soak
def test_setup_brings_back_what_a_virus_scanner_took(checkout):
    """Files of a package, a whole package, and pip itself: none of it is seen by a plain start."""
    (site(checkout) / "fanslymotion" / "part7.py").unlink()
    (site(checkout) / "pip" / "__main__.py").unlink()
    done = run(checkout, "setup")
    assert done.returncode == 0, done.stderr
    assert "anew" not in done.stderr
    assert (site(checkout) / "fanslymotion" / "part7.py").exists()
    python = checkout / ".venv" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "uninstall", "-q", "-y", "fanslymotion"], check=True)
    assert run(checkout, "setup").returncode == 0
    assert run(checkout, "x").stdout == "1.0 ['x']\n"


@pytest.mark.soak
def test_repair_from_within_the_environment_itself(checkout):
    """With .venv activated, `python3` is the one that --repair throws away."""
    left = site(checkout) / "left.py"
    left.write_text("", encoding="utf-8")
    command = [str(checkout / ".venv" / "bin" / "python"), str(checkout / "launch.py"), "setup", "--repair"]
    env = os.environ | {"FANSLYMOTION_TORCH": "pypi"}
    done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", errors="replace", timeout=280)
    assert done.returncode == 0, done.stderr
    assert not left.exists()
    assert run(checkout, "x").stdout == "1.0 ['x']\n"


def test_an_environment_of_windows_says_itself_that_its_base_is_gone(tmp_path):
    setup = Setup(tmp_path, Machine("Windows", "amd64", (3, 12)))
    setup.python.parent.mkdir(parents=True)
    setup.python.write_text(f"#!/bin/sh\necho 'No Python at C:\\\\Python311' >&2\nexit {NO_PYTHON}\n", encoding="utf-8")
    setup.python.chmod(0o755)
    assert not setup.ready(dev=False)


def test_a_file_that_a_virus_scanner_reads_does_not_end_the_setup(checkout, monkeypatch):
    """As Windows refuses it, a few times."""
    refusals = [PermissionError(13, "Access is denied")] * 3
    rename = Path.replace

    def refuse(path, target):
        if path.suffix == ".part" and refusals:
            raise refusals.pop()
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    setup, machine = Setup(checkout, Machine.this()), Machine.this()
    setup.machine = Machine("Windows", "amd64", machine.python)
    setup._site = lambda python: site_packages(setup.venv, machine, python)
    written = setup.stamp.read_bytes()
    setup._write_stamp(machine.python, TorchBuild(setup._read_stamp()["torch"], ""), dev=False)
    assert refusals == []
    assert setup.stamp.read_bytes() == written


def test_files_in_use_are_named_as_a_cause_on_windows(tmp_path):
    """A worker of before an update has its libraries loaded, and Windows replaces none of them."""
    said, python = {}, tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    for system in ("Windows", "Linux"):
        pip = Installer(python, Machine(system, "amd64", (3, 12)), tmp_path, tmp_path)
        with pytest.raises(SetupError) as refused:
            pip.uninstall("torch", why="torch")
        said[system] = "end every running fanslymotion" in str(refused.value)
    assert said == {"Windows": True, "Linux": False}


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "echo garbled"])
def test_a_python_that_does_not_answer_once_costs_nothing(tmp_path, script):
    """No memory for a process, a virus scanner: gigabytes are not thrown away for that."""
    setup = Setup(tmp_path, Machine.this())
    setup.python.parent.mkdir(parents=True)
    setup.python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    setup.python.chmod(0o755)
    with pytest.raises(SetupError, match="setup --repair"):
        setup.ensure()
    assert setup.python.exists()


def test_an_environment_without_its_python_does_not_fit(checkout):
    """Made anew is another one that does not fit: that of a moved checkout."""
    setup = Setup(checkout, Machine.this())
    assert setup._fits()
    links = {link: os.readlink(link) for link in (checkout / ".venv" / "bin").glob("python*")}
    for link in links:
        link.unlink()
        link.symlink_to("/nowhere/python3")
    try:
        assert not setup.ready(dev=False)
        assert not setup._fits()
    finally:
        for link, target in links.items():
            link.unlink()
            link.symlink_to(target)


def test_unknown_setup_word_is_bad_input(checkout):
    done = run(checkout, "setup", "--fast")
    assert done.returncode == 2
    assert "--fast" in done.stderr


@pytest.mark.soak
def test_moved_checkout_gets_an_environment_of_its_own(checkout):
    """The last one: moved back, the environment would have to be made once more."""
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    left = site(moved) / "left.py"
    left.write_text("", encoding="utf-8")
    try:
        done = run(moved, "x")
        assert done.stdout == "1.0 ['x']\n", done.stderr
        assert "anew: the checkout was moved" in done.stderr
        assert not left.exists()
        assert json.loads((moved / ".venv" / "fanslymotion.json").read_text(encoding="utf-8"))["root"] == str(moved)
    finally:
        moved.rename(checkout)
