"""Which fault of the catalogue an error's text means. The log, the page and the doctor name the same code. No torch."""

import re

STATE_UNKNOWN = "the job list was damaged, and how this job stood is not known; retry the job if it is still wanted"

RULES: tuple[tuple[str, str], ...] = (
    (r"^the worker made no progress for (?P<seconds>\d+) s, (?P<attempts>\d+) times", "FM-WORKER-003"),
    (
        r"^the worker was killed by the system.*?, (?P<attempts>\d+) times .*?\((?P<free>[^)]+) were free\)",
        "FM-WORKER-005",
    ),
    (r"^the worker died (?P<attempts>\d+) times", "FM-WORKER-004"),
    (r"the memory is too small", "FM-MEM-002"),
    (r"disk (?:of|with) [^;]* is full|No space left|disk is full", "FM-DISK-001"),
    (r"not finite|is black though|single colour", "FM-VIDEO-002"),
    (r"no model folder|is not a whole|download it:", "FM-MODEL-001"),
    (r"could not be loaded|lacks \d+ weights|of the model again", "FM-MODEL-006"),
    (r"CUDA error|illegal memory access|device-side assert|CUDNN_STATUS", "FM-GPU-008"),
    (r"finished video cannot be put|job's folder [^;]* cannot be used|cannot be written", "FM-VIDEO-003"),
    (r"ffmpeg", "FM-VIDEO-001"),
    (r"photo is gone|is not a photo|is damaged or incomplete", "FM-PHOTO-001"),
    (r"^the job list was damaged", "FM-QUEUE-005"),
    (r"choose one of|is not a Stable Video Diffusion model|fanslymotion\.json", "FM-SET-001"),
)
"""(pattern over the error, code), the first that fits; what nobody foresaw is FM-JOB-000."""


def find_fault(error: str, stage: str = "") -> tuple[str, dict[str, str]]:
    """The code, and what the error says of its values. stage: in which the job was."""
    for pattern, code in RULES:
        if match := re.search(pattern, error, re.DOTALL | re.IGNORECASE):
            if code == "FM-MEM-002" and stage == "loading":
                code = "FM-MEM-001"
            return code, match.groupdict()
    return "FM-JOB-000", {}
