"""The camera whose motion the conditions settle, and the optimiser that learns it."""

import math
from types import ModuleType

import numpy as np
import pytest
import torch
from fanslymotion.settings import ROOT

FRAMES = 14


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "training"))
    import camera

    return camera


def path(camera: ModuleType, bucket: float, fps: float, heading: float = 0.0) -> np.ndarray:
    """Where the middle of the scene is, (frames, 2), in pixels."""
    move = camera.Move(sway=1.0, heading=heading, period=camera.SWAY_SECONDS * fps)
    gain = camera.gain_for(move, bucket, fps, FRAMES, 256, 144)
    zero = np.zeros(1)
    return np.array([np.concatenate(camera.displacement(move, t, zero, zero, gain, 1.0)) for t in range(FRAMES)])


def test_it_comes_back_after_its_period(camera: ModuleType) -> None:
    places = path(camera, 127, 6)
    assert places[0] == pytest.approx(0, abs=1e-9)
    assert places[12] == pytest.approx(places[0], abs=1e-6)
    assert np.linalg.norm(places[6]) > 3, "and goes somewhere in between"


def test_bucket_is_speed_and_fps_is_pace(camera: ModuleType) -> None:
    def step(bucket: float, fps: float) -> float:
        return float(np.linalg.norm(np.diff(path(camera, bucket, fps), axis=0), axis=1).mean())

    assert step(200, 6) == pytest.approx(2 * step(100, 6), rel=1e-3)
    assert step(127, 12) == pytest.approx(step(127, 6) / 2, rel=1e-3)
    assert step(255, 6) == pytest.approx(camera.PIXELS_PER_SECOND_AT_255 / 6, rel=1e-3)


def test_it_sets_out_in_its_heading(camera: ModuleType) -> None:
    for heading in (0.0, 1.0, -2.5):
        first = path(camera, 255, 60, heading)[1]
        assert math.atan2(first[1], first[0]) == pytest.approx(heading, abs=0.1)


def test_what_is_near_moves_more(camera: ModuleType) -> None:
    rng = np.random.default_rng(0)
    depth = camera.depth_field(rng, camera.swaying_move(rng, 6, 0.0), 256, 144)
    assert depth[-1].min() > depth[72].max() > depth[0].max()
    assert depth.mean() == pytest.approx(1, abs=1e-3)


def test_a_clip_moves_as_far_as_it_says(camera: ModuleType) -> None:
    import cv2

    noise = np.random.default_rng(1).uniform(0, 255, (360, 640, 3)).astype(np.uint8)
    photo = cv2.GaussianBlur(noise, (0, 0), 4)
    photo = cv2.normalize(photo, None, 0, 255, cv2.NORM_MINMAX)
    move = camera.Move(sway=1.0, period=12.0)
    video = camera.clip(photo, np.random.default_rng(2), 255, 6, shapes=False, move=move)
    first, half = (cv2.cvtColor(video[i], cv2.COLOR_RGB2GRAY).astype(np.float32) for i in (0, 6))
    (x, y), _ = cv2.phaseCorrelate(first, half, cv2.createHanningWindow((256, 144), cv2.CV_32F))
    assert (x, y) == pytest.approx(tuple(path(camera, 255, 6)[6]), abs=0.5)
    assert np.abs(video[12].astype(int) - video[0]).mean() < 2


def test_muon_steps_are_orthogonal_and_go_down(camera: ModuleType) -> None:
    from muon import Muon, orthogonal, split

    matrix = torch.randn(24, 40, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.5
    assert values.max() < 1.4
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.SiLU(), torch.nn.Conv2d(8, 1, 3))
    hidden, rest = split(net)
    assert {tuple(p.shape) for p in hidden} == {(8, 3, 3, 3), (1, 8, 3, 3)}
    assert all(p.ndim == 1 for p in rest)
    optimiser, x = Muon(hidden, lr=0.01), torch.randn(4, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    losses = []
    for _ in range(80):
        loss = (net(x) - 1).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
