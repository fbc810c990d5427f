"""Estimate the cost of finishing decoded frames: the photo's detail, an upscaler, encoding. Without torch.

It is the same for all families; their cost models add it to their own stages.
"""

from ...hardware.units import CONTEXT, PROCESS
from ...media.upscale.network import HALO
from ...media.upscale.tiles import SIDES
from ...progress import Stage
from ..plan import MemoryPlan

DETAIL_BYTES = 400
"""RAM that the photo's detail takes, bytes per pixel of the finished video: the enlarged photo, and interpolation at
that size. Measured on two cores: 280; more of them hold more frames at once."""
DETAIL_VRAM_BYTES = 180
"""On a GPU, bytes per pixel of the finished video: the photo, enlarged (48), a frame's places and pictures, the weights
of its resizing. Counted, not measured yet."""
DETAIL_SPEED, BETWEEN_SPEED, ENCODE_SPEED = 20e6, 27e6, 40e6
"""Pixels a second and core: of the frames that get their detail, of those interpolated, of those encoded. CPU seconds
of `mini`'s frames at 720p on a server CPU: 0.045, 0.032 to 0.041 and 0.021 a frame."""
FLOW = 0.007
"""Seconds of a core for the flow between two frames, whatever their size."""
CLOSING = 0.3
"""Seconds from the last frame to the renamed file: ffmpeg's start and end."""

UPSCALE_SPEED = {("cpu", 4): 0.95, ("cpu", 2): 2.4, ("cuda", 2): 0.5}
"""An upscaler's operations a second, by its numbers' bytes, over those of a full-size model's step. Measured on two
cores (0.08 to 0.09 and 0.2 · 10¹² a core); for a GPU a guess on the safe side."""
CANVAS_BYTES = 6
"""RAM for a frame that an upscaler has enlarged, bytes per pixel of it: the picture, and a plain one to compare."""
ADDED_BYTES = 80
"""RAM for what it adds, bytes per pixel of the finished video: this frame's and the last one's, moved and mixed."""

SLACK = 1.1
"""Fragmentation: what the allocator holds over what is alive."""


def limit(now: MemoryPlan) -> int:
    """Return the bytes that may be used on the computing device."""
    machine = now.machine
    return machine.ram_free if now.device == "cpu" else max(0, machine.vram_free - machine.reserve)


def largest_tile(now: MemoryPlan, taken: int) -> int:
    """Return the side in pixels of the upscaler's largest tile that fits; the smallest one if none does.

    Args:
        now: The plan.
        taken: Peak bytes of the decoder on the computing device.
    """
    room = limit(now) - taken - beside_decoder(now)
    return next((side for side in SIDES if tile_bytes(now, side) <= room), SIDES[-1])


def beside_decoder(now: MemoryPlan) -> int:
    """Return the bytes on the computing device besides the decoder's and the upscaler's."""
    return CONTEXT + detail_vram(now) if now.device != "cpu" else PROCESS + detail_bytes(now)


def tile_bytes(now: MemoryPlan, side: int) -> int:
    """Return the bytes of the upscaler and one of its tiles on the computing device; 0 without an upscaler.

    Args:
        now: The plan.
        side: Side of a tile without its halo, pixels.
    """
    network = now.work.upscaler
    if network is None:
        return 0
    pixels = min(side + 2 * HALO, now.width) * min(side + 2 * HALO, now.height)
    return int(network.bytes(pixels, _upscale_number(now)) * SLACK)


def detail_bytes(now: MemoryPlan) -> int:
    """Estimate the bytes of RAM for the photo's detail and the upscaler's, whatever the device."""
    work, found = now.work, 0
    if work.detail or work.upscaler:
        found += DETAIL_BYTES * work.shown_pixels
    if work.upscaler:
        found += CANVAS_BYTES * now.width * now.height * work.upscaler.scale**2 + ADDED_BYTES * work.shown_pixels
    return found


def upscale_seconds(now: MemoryPlan, side: int) -> float:
    """Estimate the most seconds of an upscaler in tiles of that side: where the photo gives detail it does not run."""
    work, machine = now.work, now.machine
    if work.upscaler is None:
        return 0.0
    cpu, number = now.device == "cpu", _upscale_number(now)
    speed = (machine.cpu_speed if cpu else machine.gpu_speed) * UPSCALE_SPEED["cpu" if cpu else "cuda", number]
    return work.frames * work.upscaler.operations * _computed(now, side) / (max(speed, 0.01) * 1e12)


def _upscale_number(now: MemoryPlan) -> int:
    assert now.work.upscaler is not None
    return now.work.upscaler.number_bytes(now.device, now.machine.cpu_bf16)


def _computed(now: MemoryPlan, side: int) -> int:
    """Count the pixels of a frame including the tiles' halos."""
    across, down = (length + 2 * HALO * (-(-length // side) - 1) for length in (now.width, now.height))
    return across * down


def detail_vram(now: MemoryPlan) -> int:
    """Return the bytes on the GPU for the photo, which is warped there while the decoder works."""
    return DETAIL_VRAM_BYTES * now.work.shown_pixels if now.work.detail else 0


def finish_seconds(now: MemoryPlan) -> tuple[float, float]:
    """Estimate the seconds of detail, interpolation and encoding: on all cores, and alone. x264 uses one core."""
    work, cores = now.work, min(now.machine.cores, 8)
    detail = work.frames * work.shown_pixels / DETAIL_SPEED if work.detail else 0.0
    pixels = work.shown_pixels if work.detail or work.upscaler else now.width * now.height
    between = max(0, work.shown_frames - work.frames) * (pixels / BETWEEN_SPEED + FLOW)
    encoding = work.shown_frames * work.shown_pixels / ENCODE_SPEED
    shared = (detail + between + encoding) / cores
    return shared, max(encoding, shared)


def decoding_and_saving(
    plan: MemoryPlan, decode: float, beside: float, alone: float, enlarge: float = 0.0
) -> dict[Stage, float]:
    """Return the seconds of both stages.

    The last chunk's frames are finished after decoding has ended: that is saving. Before, a GPU decodes while the CPU
    finishes frames, and the slower one determines the time; a CPU shares its cores between both.

    Args:
        plan: The plan.
        decode: Seconds of the decoder alone.
        beside: Seconds of finishing on all cores.
        alone: Seconds of finishing while nothing is decoded: a part of it uses only one core.
        enlarge: Seconds of an upscaler, on the decoding device.
    """
    tail = min(1.0, plan.decode_chunk / max(1, plan.work.frames))
    computed = decode + enlarge * (1 - tail)
    return {
        Stage.DECODING: computed + beside * (1 - tail) if plan.device == "cpu" else max(computed, alone * (1 - tail)),
        Stage.SAVING: (enlarge + alone) * tail + CLOSING,
    }
