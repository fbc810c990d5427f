"""Read the installed build of torch (CPU, CUDA, ROCm) from its files in a millisecond, without importing it."""

import ast
import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TorchBuild:
    """The installed torch.

    Attributes:
        version: "" if torch is not installed.
        cuda: CUDA version of the build, (major, minor); None in other builds.
        hip: It is a ROCm build.
    """

    version: str = ""
    cuda: tuple[int, int] | None = None
    hip: bool = False

    @property
    def kind(self) -> str:
        """Return the build's kind, for people."""
        if self.cuda:
            return f"CUDA {self.cuda[0]}.{self.cuda[1]}"
        return "ROCm" if self.hip else "CPU"


def torch_build() -> TorchBuild:
    """Read `torch/version.py`, which every build of torch carries."""
    try:
        version = importlib.metadata.version("torch")
        spec = importlib.util.find_spec("torch")
    except (importlib.metadata.PackageNotFoundError, ImportError, ValueError):
        return TorchBuild()
    if spec is None or not spec.origin:
        return TorchBuild()
    return read_build(Path(spec.origin).with_name("version.py"), version)


def read_build(path: Path, version: str = "") -> TorchBuild:
    """Read a file `torch/version.py`.

    Args:
        path: the file.
        version: used if the file cannot be read.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return TorchBuild(version)
    values = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            values[target.id] = value.value
    cuda = re.match(r"(\d+)\.(\d+)", str(values.get("cuda") or ""))
    return TorchBuild(
        str(values.get("__version__") or version),
        (int(cuda[1]), int(cuda[2])) if cuda else None,
        bool(values.get("hip")),
    )
