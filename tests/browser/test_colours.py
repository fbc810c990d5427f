"""A video's colours as a browser shows them."""

import base64
from pathlib import Path

import numpy as np
from fanslymotion.pipeline.media.encode import VideoEncoder
from playwright.sync_api import Page

COLOURS = [
    *((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)),
    *((0, 0, 0), (255, 255, 255), (128, 128, 128), (30, 30, 30), (200, 150, 120), (60, 90, 40)),
]
READ = """async ([source, colours]) => {
  const video = document.createElement("video");
  document.body.append(video);
  [video.muted, video.src] = [true, source];
  const drawn = new Promise((resolve, reject) => {
    video.requestVideoFrameCallback(resolve);
    video.onerror = () => reject(new Error(video.error.message));
  });
  await video.play();
  await drawn;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const at = (n) => [...context.getImageData(n * 32 + 16, 16, 1, 1).data].slice(0, 3);
  return Array.from({ length: colours }, (_, n) => at(n));
}"""


def test_a_browser_shows_the_frames_colours(page: Page, tmp_path: Path) -> None:
    page.goto("data:text/html,")  # without the rules of the page that opened the tab: they allow no video in an address
    frame = np.repeat(np.repeat(np.array([COLOURS], np.uint8), 32, axis=0), 32, axis=1)
    with VideoEncoder(tmp_path / "a.mp4", frame.shape[1], frame.shape[0], 12) as encoder:
        for _ in range(6):
            encoder.write(frame)
    source = "data:video/mp4;base64," + base64.b64encode((tmp_path / "a.mp4").read_bytes()).decode()
    shown = np.array(page.evaluate(READ, [source, len(COLOURS)]))
    off = np.abs(shown - np.array(COLOURS)).max(axis=0)
    assert off[:2].max() <= 3
    # Chromium without a graphics card converts by libyuv, whose factor for blue is 2.0 instead of 2.112.
    assert off[2] <= 13
