"""launch.sh with the Pythons that people really have."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from fanslymotion.launcher.main import ROOT, drop_python_variables

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shell scripts")
BUILDS = ("win_amd64", "manylinux_2_17_x86_64", "manylinux_2_17_aarch64", "macosx_11_0_arm64")


@pytest.fixture
def studio(tmp_path):
    """launch.sh and restart_worker.sh beside a launch.py that prints its words, and an empty folder for the PATH."""
    root = tmp_path / "my studio"
    (root / "bin").mkdir(parents=True)
    (root / "launcher").mkdir()
    for name in ("launch.sh", "restart_worker.sh", "launcher/get_python.sh", "launcher/uv.txt"):
        shutil.copy(ROOT / name, root / name)
    (root / "launch.py").write_text("import sys\nprint(sys.argv[1:])\n", encoding="utf-8")
    for tool in ("dirname", "readlink", "uname", "bash", "env", "mkdir", "rm"):
        (root / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return root


def sh(script: Path, *words: str, path: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(path), "HOME": "/nowhere"}
    bash = shutil.which("bash") or "bash"
    return subprocess.run(
        [bash, str(script), *words],
        env=env,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        cwd="/",
        timeout=60,
    )


def fake(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@posix
def test_first_python_that_really_runs_is_taken(studio):
    fake(studio / "bin", "python3", "echo 'python3: command not found' >&2; exit 127")  # a dead pyenv shim
    fake(studio / "bin", "python3.13", "exit 1")  # too old, too new, or without venv
    fake(studio / "bin", "python3.12", f'exec "{sys.executable}" "$@"')
    done = sh(studio / "launch.sh", "generate", "a photo.jpg", path=studio / "bin")
    assert (done.returncode, done.stdout) == (0, "['generate', 'a photo.jpg']\n"), done.stderr


@posix
def test_without_a_python_it_says_how_to_get_one(studio):
    done = sh(studio / "launch.sh", path=studio / "bin")
    assert (done.returncode, done.stdout) == (1, "")
    assert "files.pythonhosted.org" in done.stderr, "it tried to fetch one, here without curl and wget"
    assert "Python 3.11, 3.12 or 3.13" in done.stderr
    assert ("python.org" if sys.platform == "darwin" else "uv python install 3.13") in done.stderr


UV = f"""#!/bin/sh
[ "$1 $2 $3 $4" = "python install 3.13 --install-dir" ] || exit 2
mkdir -p "$5/cpython-3.13/bin"
printf '#!/bin/sh\\nexec "{sys.executable}" "$@"\\n' >"$5/cpython-3.13/bin/python3"
chmod +x "$5/cpython-3.13/bin/python3"
echo "said by uv"
"""


@pytest.fixture
def with_a_mirror(studio):
    """The machine has no Python; uv.txt names a stand-in for uv, which makes a script of the tests' own Python."""
    archive = studio / "uv.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("uv-1.0.data/scripts/uv", UV)
    digest = sha256(archive.read_bytes()).hexdigest()
    lines = "".join(f"{digest} {archive.as_uri()}#{build}\n" for build in BUILDS)
    (studio / "launcher" / "uv.txt").write_text(f"# builds\n{lines}", encoding="utf-8")
    for tool in ("curl", "unzip", "sha256sum", "shasum", "chmod"):
        if found := shutil.which(tool):
            (studio / "bin" / tool).symlink_to(found)
    return studio


@posix
def test_without_a_python_it_fetches_one(with_a_mirror):
    done = sh(with_a_mirror / "launch.sh", "generate", "a photo.jpg", path=with_a_mirror / "bin")
    assert (done.returncode, done.stdout) == (0, "['generate', 'a photo.jpg']\n"), done.stderr
    assert "fetching one" in done.stderr
    assert [path.name for path in (with_a_mirror / ".python").iterdir()] == ["cpython-3.13"], "nothing else is left"
    again = sh(with_a_mirror / "launch.sh", path=with_a_mirror / "bin")
    assert (again.stdout, again.stderr) == ("[]\n", "")


@posix
def test_what_is_not_the_uv_that_was_checked_is_not_run(with_a_mirror):
    with (with_a_mirror / "uv.whl").open("ab") as archive:
        archive.write(b"changed on the way")
    done = sh(with_a_mirror / "launch.sh", path=with_a_mirror / "bin")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not what was expected" in done.stderr
    assert "said by uv" not in done.stderr
    assert list((with_a_mirror / ".python").iterdir()) == []


def test_every_machine_has_its_build_of_one_version():
    lines = (ROOT / "launcher" / "uv.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split(" ") for line in lines if not line.startswith("#")]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) and address.startswith("https://") for digest, address in pins)
    assert len({address.rpartition("/")[2].split("-")[1] for _, address in pins}) == 1
    for build in BUILDS:
        assert sum(build in address for _, address in pins) == 1
    scripts = [(ROOT / "launcher" / f"get_python.{kind}").read_text(encoding="utf-8") for kind in ("sh", "ps1")]
    assert [build for build in BUILDS if not any(build in script for script in scripts)] == []


@posix
def test_own_python_and_a_link_to_the_script(studio):
    link = studio.parent / "studio"
    link.symlink_to(studio / "launch.sh")
    env = {"PATH": str(studio / "bin"), "FANSLYMOTION_PYTHON": sys.executable}
    done = subprocess.run(
        [shutil.which("bash") or "bash", str(link)], env=env, capture_output=True, encoding="utf-8", errors="replace"
    )
    assert done.stdout == "[]\n", done.stderr


@posix
def test_restart_worker_hands_over_to_the_same_launcher(studio):
    fake(studio / "bin", "python3", f'exec "{sys.executable}" "$@"')
    assert sh(studio / "restart_worker.sh", path=studio / "bin").stdout == "['restart-worker']\n"


def test_shell_scripts_are_executable_and_have_unix_line_ends():
    names = ["launch.sh", "launcher/get_python.sh", "restart_worker.sh", "tests/run.sh", ".ci/run"]
    assert [name for name in names if b"\r" in (ROOT / name).read_bytes()] == []
    if sys.platform != "win32":
        assert [name for name in names if not os.access(ROOT / name, os.X_OK)] == []


@posix
def test_variables_of_another_programs_python_do_not_reach_ours(studio):
    """PYTHONHOME alone makes any Python end at once: "No module named 'encodings'"."""
    fake(studio / "bin", "python3", f'exec "{sys.executable}" "$@"')
    foreign = {"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "PYTHONWARNINGS": "error"}
    env = {"PATH": str(studio / "bin"), "HOME": "/nowhere", **foreign}
    bash = shutil.which("bash") or "bash"
    done = subprocess.run(
        [bash, str(studio / "launch.sh"), "doctor"], env=env, capture_output=True, encoding="utf-8", errors="replace"
    )
    assert (done.returncode, done.stdout) == (0, "['doctor']\n"), done.stderr


def test_only_harmless_variables_of_python_are_passed_on():
    environ = {"PYTHONHOME": "/x", "PythonPath": "/x", "PYTHONUTF8": "1", "PATH": "/bin", "PYTHONINSPECT": "1"}
    drop_python_variables(environ)
    assert environ == {"PYTHONUTF8": "1", "PATH": "/bin"}
