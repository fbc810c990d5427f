"""Compile a loaded model's repeated blocks for its device, and take that back.

One step of SVD-XT on an H100 takes 0.434 s instead of 0.590, decoding 25 frames 0.94 instead of 2.95 s
(bench/RESULTS.md). Each block is compiled by itself: blocks of one kind and size share their kernels, which a whole
network would not.
"""

import logging
import sys
from collections.abc import Hashable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import torch
from torch import nn

log = logging.getLogger(__name__)

INDUCTOR = "inductor"
"""torch's own compiler."""
COMPILERS = ("torch._dynamo", "torch._inductor", "torch._functorch", "triton")
"""Packages whose errors are a compiler's."""
SHOWN = 200
"""Characters of an error's text that are told."""
KINDS, ALL_KINDS = 64, 1024
"""Versions that dynamo keeps of a function, and of all of them: blocks share their code, and each size is a version."""


class CompilingFailed(Exception):
    """The blocks cannot be compiled here, or not be run. Its cause says why."""


class CompiledBlocks:
    """The compiled blocks of one loaded model.

    Attributes:
        ready: What was computed with them: the compiler has nothing left to do for it.
    """

    def __init__(self, model: Any, blocks: Mapping[str, tuple[str, ...]], backend: str, channels_last: bool) -> None:
        """Prepare each block to be compiled at its next call.

        Args:
            model: a `VideoModel`.
            blocks: `Family.blocks`.
            backend: torch's name of the compiler.
            channels_last: lay the networks' convolution weights out so, as the compiled kernels are quickest.
        """
        self.ready: set[Hashable] = set()
        self._layouts: list[tuple[nn.Parameter, torch.memory_format]] = []
        networks = {path: attrgetter(path)(model) for path in blocks}
        if channels_last:
            for network in networks.values():
                self._layouts += _lay_out(network)
        self._blocks = [block for path, names in blocks.items() for block in _found(networks[path], names)]
        for block in self._blocks:
            block.compile(fullgraph=True, dynamic=False, backend=backend)

    def take_off(self) -> None:
        """Compute as the model was loaded, from the next call on."""
        for block in self._blocks:
            block._compiled_call_impl = None  # what nn.Module.compile has set
        for parameter, layout in self._layouts:
            parameter.data = parameter.data.contiguous(memory_format=layout)
        self._blocks, self._layouts = [], []


class Compiler:
    """Compiles the models of this process, as long as that works.

    Attributes:
        failed: It did not work in this process, and is not tried again.
    """

    def __init__(self, backend: str = INDUCTOR, channels_last: bool = True) -> None:
        """See `CompiledBlocks`."""
        self.failed = False
        self._backend, self._channels_last = backend, channels_last

    def suit(self, model: Any, blocks: Mapping[str, tuple[str, ...]], compiled: bool) -> None:
        """Switch a model to compute compiled, or as it was loaded.

        Args:
            model: a `VideoModel`; its attribute `compiled` tells how it computes.
            blocks: `Family.blocks`.
            compiled: what is wished.
        """
        if model.compiled is not None and not compiled:
            model.compiled.take_off()
            model.compiled = None
        elif model.compiled is None and compiled:
            _configure()
            model.compiled = CompiledBlocks(model, blocks, self._backend, self._channels_last)


def end_workers() -> None:
    """End the processes in which inductor compiles: each holds torch in memory. The next compiling starts others."""
    module: Any = sys.modules.get("torch._inductor.async_compile")
    if module is not None:
        try:
            module.shutdown_compile_workers()
        except Exception as e:  # of a version that knows it otherwise: they end with this process
            log.debug("The compiler's processes were not ended: %s", e)


def is_compilers(error: BaseException) -> bool:
    """Tell whether an error, or one of its causes, comes from compiling."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, CompilingFailed) or type(found).__module__.startswith(COMPILERS):
            return True
        found = found.__cause__ or found.__context__
    return False


def reason(error: BaseException) -> str:
    """Return the first line of what a compiler says, and of what kind it is. Dynamo wraps the errors of a backend."""
    while inner := getattr(error, "inner_exception", None) or (isinstance(error, CompilingFailed) and error.__cause__):
        error = inner
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:SHOWN]}" if lines else type(error).__name__


def _found(network: nn.Module, names: tuple[str, ...]) -> Iterator[nn.Module]:
    return (module for module in network.modules() if type(module).__name__ in names)


def _lay_out(network: nn.Module) -> list[tuple[nn.Parameter, torch.memory_format]]:
    """Lay convolution weights out with their channels last. Return those that were not, with their former layout."""
    changed: list[tuple[nn.Parameter, torch.memory_format]] = []
    for parameter in network.parameters():
        if parameter.ndim not in (4, 5):
            continue
        layout = torch.channels_last if parameter.ndim == 4 else torch.channels_last_3d
        if not parameter.is_contiguous(memory_format=layout):
            changed.append((parameter, torch.contiguous_format))
            parameter.data = parameter.data.contiguous(memory_format=layout)
    return changed


def _configure() -> None:
    """Allow as many versions as there are sizes, and have the same kernels chosen in every process."""
    import torch._dynamo.config as dynamo
    import torch._inductor.config as inductor

    limits = {"recompile_limit": KINDS, "cache_size_limit": KINDS}
    limits |= {"accumulated_recompile_limit": ALL_KINDS, "accumulated_cache_size_limit": ALL_KINDS}
    for name, limit in limits.items():
        if hasattr(dynamo, name):
            setattr(dynamo, name, limit)
    if hasattr(inductor, "deterministic"):
        setattr(inductor, "deterministic", True)  # noqa: B010 - its stubs do not know it in every version
