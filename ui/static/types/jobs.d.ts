// What the server tells about jobs, as JSON.

import type { Diagnosis } from "./diagnosis.d.ts";
import type { Licence } from "./models.d.ts";
import type { LastPhoto } from "./photos.d.ts";
import type { Faults, Lists, Words } from "./words.d.ts";

export interface ShortSettings {
  resolution: string;
  seconds: number;
  quality: string;
  model: string;
  mode: string;
}

/** strength: null is the model's own. */
export interface LoraChoice {
  name: string;
  strength: number | null;
}

/** Of one video. null: as the model's preset says. */
export interface Settings extends ShortSettings {
  seed: number;
  motion_bucket_id: number | null;
  steps: number | null;
  noise_aug_strength: number | null;
  fps: number | null;
  fit: string;
  detail: boolean;
  upscaler: string | null;
  prompt: string;
  negative_prompt: string | null;
  loras: LoraChoice[];
  loop: boolean;
  int8: boolean;
  shape: string;
  position: number | null;
}

/** Times in Unix seconds, fraction 0..1. waits_for: why no living worker can run it. A deleted job has only its id and the status "deleted". */
export interface Job {
  id: string;
  name: string;
  status: string;
  cancelling: boolean;
  attempt: number;
  created: number;
  started: number | null;
  finished: number | null;
  place: number;
  stage: string;
  step: number;
  steps: number;
  part: string;
  window: number;
  windows: number;
  fraction: number;
  eta_seconds: number | null;
  revision: number;
  preview: string;
  photo: string;
  photo_hash: string;
  poster: string;
  last_photo: LastPhoto | null;
  settings: Settings;
  expected: Clip | null;
  licence: Licence | null;
  error: string;
  diagnosis: Diagnosis | null;
  warnings: Lists;
  favourite: boolean;
  video: Video | null;
  waits_for: Words | null;
}

/** One that is done. */
export interface FinishedJob extends Job {
  finished: number;
  video: Video;
}

export interface Clip {
  width: number;
  height: number;
  frames: number;
  fps: number;
}

export interface Video {
  url: string;
  download: string;
  still: string;
  width: number;
  height: number;
  frames: number;
  fps: number;
}

export interface Page {
  jobs: Job[];
  total: number;
  next: string;
}

/** [id, time, kind, level, text]: text is a line of the log, a Sample without its time as JSON, or Faults. */
export type Event = [number, number, "log" | "watch", string, string] | [number, number, "fault", string, Faults];
