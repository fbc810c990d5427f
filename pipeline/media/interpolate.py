"""Interpolate frames by optical flow, without a network.

For each pair of neighbours DIS flow (Kroeger et al. 2016) is computed in both directions at a reduced size. For every
pixel of a new frame the motion is chosen along which the two neighbours agree best (Baker et al. 2011, section 3.3).
Both neighbours are warped along it at full size, and blended by what each of them can see there.

Warping takes most of the time. OpenCV samples 8-bit pictures of four channels many times faster bilinearly than
bicubically, so half-pixels are computed once for each frame, as in H.264, and all warps read from those.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice

import cv2
import numpy as np

from ..hardware.container import cpus

FACTORS = (1, 2, 4, 8)

FLOW_SIDE = 384
"""Pixels of the long side at which flow is found. 512 would be 0.4 dB better, and a third slower."""

HALF_PIXEL = np.array([[1, -5, 20, 20, -5, 1]], np.float32) / 32
"""H.264's filter for the place between the two middle pixels."""

EDGES = cv2.BORDER_REPLICATE
"""What lies outside of a frame is taken to be as its edge."""

WINDOW = (5, 5)
"""Pixels (at flow size) over which the two neighbours are compared along one candidate motion."""

AGREE, DISAGREE = 4.0, 12.0
"""Grey levels, mean over the window: below the first, both neighbours see the same thing; above the second, one of
them has it covered."""

ASTRAY = 2.0
"""Pixels (at flow size) between a point and where the flow there and back again leads."""

EDGE = 8
"""Pixels (at flow size) beside the frame's edge: a patch of DIS, which would reach beyond."""

CUT = 0.6
"""Share of points gone astray. Pans, zooms and parallax stay below 0.1 at a clip's own speed and below 0.55 at four
times of it, cuts and unrelated pictures lie above 0.9 (measured with bench/camera_clips.py)."""

MAX_THREADS = 4

Work = tuple[np.ndarray, Callable[[], list[np.ndarray]]]


def interpolate(frames: Iterable[np.ndarray], factor: int, total: int) -> Iterator[np.ndarray]:
    """Yield `total` frames in order: `factor` for each of the first total / factor input frames. Holds few in memory.

    The first of each `factor` frames is the input frame itself. One additional input frame serves as the right
    neighbour of the last one; without it the last motion is extrapolated.

    Args:
        frames: uint8 RGB (height, width, 3), all of one size.
        factor: Output frames per input frame, 1 or more.
        total: Number of output frames.

    Raises:
        ValueError: There are too few input frames.
    """
    if factor not in FACTORS or total < 1 or total % factor:
        raise ValueError(f"{total} frames at factor {factor}: it must be one of {FACTORS} and divide them")
    wanted = total // factor
    if factor == 1:
        yield from _first(frames, wanted)
        return
    times = [k / factor for k in range(1, factor)]
    for given, made in _ahead(_work(map(Frame.of, frames), wanted, times)):
        yield given
        yield from made


def _first(frames: Iterable[np.ndarray], wanted: int) -> Iterator[np.ndarray]:
    count = 0
    for frame in islice(frames, wanted):
        count += 1
        yield frame
    if count < wanted:
        raise _too_few(count, wanted)


def _too_few(count: int, wanted: int) -> ValueError:
    return ValueError(f"{count} frames came; {wanted} are needed")


def between(left: "Frame", right: "Frame", times: list[float]) -> list[np.ndarray]:
    """Create the frames at `times` (0 = left, 1 = right). Across a cut: the nearer neighbour, never a blend."""
    pair = _Pair.of(left, right)
    if pair is None:
        return [(left if time <= 0.5 else right).given for time in times]
    return [_blend(pair, time) for time in times]


def beyond(before: "Frame", last: "Frame", times: list[float]) -> list[np.ndarray]:
    """Create the frames at `times` after `last`, with the motion from `before`; after a cut `last` is repeated."""
    pair = _Pair.of(before, last)
    if pair is None:
        return [last.given] * len(times)
    here = grid(*_size(last.small))
    made = []
    for time in times:
        motion = sample(pair.backward, cv2.scaleAdd(pair.backward, time, here))  # what is at its new place now
        places = cv2.scaleAdd(_full_size(motion, last), time, grid(*_size(last.given), 2))
        made.append(cv2.cvtColor(sample(last.fine, places), cv2.COLOR_RGBA2RGB))
    return made


def _work(frames: Iterator["Frame"], wanted: int, times: list[float]) -> Iterator[Work]:
    """Yield each wanted frame with the task that creates the frames after it."""
    before, left = None, next(frames, None)
    for count in range(wanted):
        right = next(frames, None)
        if left is None or (right is None and count + 1 < wanted):
            raise _too_few(count if left is None else count + 1, wanted)
        if right is not None:
            yield left.given, partial(between, left, right, times)
        elif before is not None:
            yield left.given, partial(beyond, before, left, times)
        else:
            yield left.given, partial(list, [left.given] * len(times))
        before, left = left, right


def _ahead(work: Iterable[Work]) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Run the tasks in a few threads (OpenCV releases the GIL), in order, with a bounded lead."""
    threads = max(1, min(MAX_THREADS, cpus()))
    waiting: deque[tuple[np.ndarray, Future[list[np.ndarray]]]] = deque()
    pool = ThreadPoolExecutor(threads, "interpolate")
    try:
        for given, task in work:
            waiting.append((given, pool.submit(task)))
            if len(waiting) > threads:
                given, made = waiting.popleft()
                yield given, made.result()
        while waiting:
            given, made = waiting.popleft()
            yield given, made.result()
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Frame:
    """An input frame with what both of its pairs need.

    Attributes:
        given: uint8 RGB.
        small: Grey, at the flow's size.
        fine: RGBA with half-pixels, at twice the size.
    """

    given: np.ndarray
    small: np.ndarray
    fine: np.ndarray

    @classmethod
    def of(cls, given: np.ndarray) -> "Frame":
        """Prepare a frame, RGB, uint8, (height, width, 3)."""
        return cls(given, _small(given), half_pixels(given))


@dataclass(frozen=True)
class _Pair:
    """Two neighbours and the flow between them. The arrays have the flow's size.

    Attributes:
        left: The earlier frame.
        right: The later frame.
        forward: Flow left -> right, float32 (height, width, 2).
        backward: Flow right -> left, likewise.
        sight_left: float32 (height, width, 2): 1 everywhere (so that samples outside the frame read 0), and the
            confidence that right shows the same point, 0..1.
        sight_right: The same for right.
    """

    left: Frame
    right: Frame
    forward: np.ndarray
    backward: np.ndarray
    sight_left: np.ndarray
    sight_right: np.ndarray

    @classmethod
    def of(cls, left: Frame, right: Frame) -> "_Pair | None":
        """Compute the flow of two neighbouring frames. Return None across a cut."""
        dis = _flow_finder()
        forward = dis.calc(left.small, right.small, None)  # pyright: ignore
        backward = dis.calc(right.small, left.small, None)  # pyright: ignore
        astray_left, astray_right = _astray(forward, backward), _astray(backward, forward)
        if min(np.count_nonzero(a > ASTRAY) for a in (astray_left, astray_right)) > CUT * astray_left.size:
            return None
        _mend_edges(forward, astray_left)
        _mend_edges(backward, astray_right)
        return cls(left, right, forward, backward, _sight(astray_left), _sight(astray_right))


def _flow_finder() -> cv2.DISOpticalFlow:
    """Create a flow search: one for each pair, as it is not thread-safe. 0.1 dB below the preset, in half its time."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setPatchStride(5)
    dis.setGradientDescentIterations(12)
    dis.setVariationalRefinementIterations(2)
    return dis


def _blend(pair: _Pair, time: float) -> np.ndarray:
    """Create the frame at `time` (0..1) between the pair."""
    motion, doubt = _motion(pair, time)
    here, size = grid(*_size(motion)), _size(pair.left.given)
    weight = _weight(pair.sight_left, cv2.scaleAdd(motion, -time, here), doubt, 1 - time)
    other = _weight(pair.sight_right, cv2.scaleAdd(motion, 1 - time, here), doubt, time)
    share = cv2.resize(weight / (weight + other), size, interpolation=cv2.INTER_LINEAR)
    motion, full = _full_size(motion, pair.left), grid(*size, 2)
    left = sample(pair.left.fine, cv2.scaleAdd(motion, -time, full))
    right = sample(pair.right.fine, cv2.scaleAdd(motion, 1 - time, full))
    return cv2.cvtColor(cv2.blendLinear(left, right, share, 1 - share), cv2.COLOR_RGBA2RGB)


def _motion(pair: _Pair, time: float) -> tuple[np.ndarray, np.ndarray]:
    """Return for each pixel at `time` its motion left -> right (pixels), and how little its ends agree (0..1).

    The flows are known at the neighbours' pixels, not at the new frame's. One fixed-point step p = x - t·flow(p) moves
    each of them there. The two candidates differ where one thing occludes another.
    """
    here = grid(*_size(pair.forward))
    candidates = (
        sample(pair.forward, cv2.scaleAdd(pair.forward, -time, here)),
        -sample(pair.backward, cv2.scaleAdd(pair.backward, time - 1, here)),
    )
    costs = []
    for motion in candidates:
        left = sample(pair.left.small, cv2.scaleAdd(motion, -time, here))
        right = sample(pair.right.small, cv2.scaleAdd(motion, 1 - time, here))
        costs.append(cv2.boxFilter(cv2.absdiff(left, right), cv2.CV_32F, WINDOW))
    motion, second = candidates
    cv2.copyTo(second, (costs[1] + 0.5 < costs[0]).view(np.uint8), motion)
    cost = cv2.min(*costs)
    doubt = np.clip((cost - AGREE) / (DISAGREE - AGREE), 0, 1)
    return cv2.blur(motion, (3, 3)), cv2.blur(doubt, (3, 3))


def _weight(sight: np.ndarray, places: np.ndarray, doubt: np.ndarray, nearness: float) -> np.ndarray:
    """Return the weight of a neighbour: by its distance in time, and almost none outside its edges.

    Where the two disagree, the one whose point the other does not show is right: only it sees what is there.
    """
    inside, seen = cv2.split(sample(sight, places, cv2.BORDER_CONSTANT))
    return nearness * (inside + 1e-4) * (1 - doubt * seen + 1e-3)


def _astray(flow: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return the distance in pixels between each point and where the flow there and `back` lead it."""
    there = cv2.add(flow, grid(*_size(flow)))
    return cv2.magnitude(*cv2.split(cv2.add(flow, sample(back, there))))


def _mend_edges(flow: np.ndarray, astray: np.ndarray) -> None:
    """Replace the flow by the camera's motion where it leads out of the frame: no flow can be found there.

    Worth 1 to 8 dB in pans and zooms, whose error is nearly all in that strip.
    """
    camera = cv2.transform(grid(*_size(flow)), camera_motion(flow, astray))
    width, height = _size(flow)
    there = cv2.add(camera, grid(width, height))
    stays = cv2.inRange(there, (EDGE, EDGE, 0, 0), (width - 1 - EDGE, height - 1 - EDGE, 0, 0))
    cv2.copyTo(camera, cv2.bitwise_not(stays), flow)


def camera_motion(flow: np.ndarray, astray: np.ndarray) -> np.ndarray:
    """Fit the affine motion, float64 2 × 3, of most of the picture: x, y -> flow at x, y.

    Least squares on every eighth pixel, reweighted so that independently moving parts count little (IRLS for L1).
    """
    points = grid(*_size(flow))[::8, ::8].reshape(-1, 2).astype(np.float64)
    inputs = np.column_stack([points, np.ones(len(points))])
    outputs = flow[::8, ::8].reshape(-1, 2).astype(np.float64)
    trusted = (astray[::8, ::8].reshape(-1, 1) < 1.0) + 1e-6
    weights = trusted
    solution = np.zeros((3, 2))
    for _ in range(5):
        weighted = inputs * weights
        solution = np.linalg.lstsq(weighted.T @ inputs, weighted.T @ outputs, rcond=None)[0]
        residual = np.linalg.norm(outputs - inputs @ solution, axis=1, keepdims=True)
        weights = trusted / (0.3 + residual)
    return solution.T


def _sight(astray: np.ndarray) -> np.ndarray:
    return cv2.merge([np.ones_like(astray), cv2.exp(-astray)])


def sample(image: np.ndarray, places: np.ndarray, edge: int = EDGES) -> np.ndarray:
    """Sample an image bilinearly at positions (height, width, 2) in pixels."""
    return cv2.remap(image, places, None, cv2.INTER_LINEAR, None, edge, 0)  # pyright: ignore[reportCallIssue, reportArgumentType]


def _small(frame: np.ndarray) -> np.ndarray:
    """Return the picture for the flow search: grey, at the flow's size."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    width, height = _size(frame)
    scale = FLOW_SIDE / max(width, height)
    if scale >= 1:
        return grey
    return cv2.resize(grey, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)


def half_pixels(frame: np.ndarray) -> np.ndarray:
    """Double a picture by the half-pixels right of, below, and diagonal to its pixels. Alpha is only padding."""
    whole = cv2.cvtColor(frame, cv2.COLOR_RGB2RGBA)
    height, width = whole.shape[:2]
    fine = np.empty((2 * height, 2 * width, 4), np.uint8)
    rows, below = fine[::2], fine[1::2]
    rows.view(np.uint32)[:, ::2] = whole.view(np.uint32)
    rows.view(np.uint32)[:, 1::2] = cv2.filter2D(whole, -1, HALF_PIXEL, anchor=(2, 0), borderType=EDGES).view(np.uint32)
    cv2.filter2D(rows, -1, HALF_PIXEL.T, dst=below, anchor=(0, 2), borderType=EDGES)
    return fine


def _full_size(flow: np.ndarray, frame: Frame) -> np.ndarray:
    """Resize a flow to the frame's size, in pixels of its `fine`."""
    (width, height), (small_width, small_height) = _size(frame.given), _size(flow)
    scaled = cv2.transform(flow, np.diag((2 * width / small_width, 2 * height / small_height)))
    return cv2.resize(scaled, (width, height), interpolation=cv2.INTER_LINEAR)


def _size(image: np.ndarray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


@lru_cache(maxsize=8)
def grid(width: int, height: int, step: int = 1) -> np.ndarray:
    """Return each pixel's position (x, y) times `step`, float32 (height, width, 2). Cached and read-only."""
    across, down = (step * np.arange(side, dtype=np.float32) for side in (width, height))
    places = np.dstack(np.meshgrid(across, down))
    places.flags.writeable = False
    return places
