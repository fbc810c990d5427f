// @ts-check
// Two players that show the same moment: played, paused and moved together, over the shorter one's length.

const APART_SECONDS = 0.06; // of more, one is put where the other is: a frame at 16 a second

export class InStep {
  /** @param {HTMLVideoElement} first @param {HTMLVideoElement} second @param {() => void} moved called when another moment is shown */
  constructor(first, second, moved) {
    this.first = first;
    this.second = second;
    this.moved = moved;
    this.playing = false;
    this.begun = 0; // how often
    this.fps = 12;
    /** @type {number | undefined} */
    this.frame = undefined;
    for (const video of [first, second]) {
      video.addEventListener("ended", () => this.playing && this.seek(0));
      video.addEventListener("loadedmetadata", () => moved());
      video.addEventListener("seeked", () => moved());
    }
  }

  /** Seconds that both have; 0: not known yet. */
  get length() {
    return Math.min(this.first.duration || 0, this.second.duration || 0);
  }

  get time() {
    return this.first.currentTime;
  }

  async play() {
    const begun = (this.begun += 1);
    this.playing = true;
    this.second.currentTime = this.first.currentTime;
    this.moved();
    await Promise.all([this.first.play(), this.second.play()]).catch(() => begun === this.begun && this.pause()); // paused meanwhile, or not playable
    if (begun !== this.begun) return; // begun again, perhaps with other videos
    cancelAnimationFrame(this.frame ?? 0);
    if (this.playing) this.tick();
  }

  pause() {
    this.playing = false;
    cancelAnimationFrame(this.frame ?? 0);
    for (const video of [this.first, this.second]) video.pause();
    this.second.currentTime = this.first.currentTime;
    this.moved();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /** @param {number} seconds */
  seek(seconds) {
    for (const video of [this.first, this.second]) video.currentTime = seconds;
    if (this.playing) this.play();
    this.moved();
  }

  /** To another frame, over the end to the beginning. @param {number} by */
  step(by) {
    if (this.playing) this.pause();
    const frames = Math.max(1, Math.round(this.length * this.fps));
    const at = Math.floor(this.time * this.fps + 0.01);
    this.seek((((at + by + frames) % frames) + 0.5) / this.fps);
  }

  tick() {
    if (this.time >= this.length - 0.5 / this.fps) this.seek(0);
    else if (Math.abs(this.first.currentTime - this.second.currentTime) > APART_SECONDS) this.second.currentTime = this.first.currentTime;
    this.moved();
    this.frame = requestAnimationFrame(() => this.playing && this.tick());
  }

  stop() {
    this.playing = false;
    cancelAnimationFrame(this.frame ?? 0);
    for (const video of [this.first, this.second]) {
      video.pause();
      video.removeAttribute("src");
      video.load();
    }
  }
}
