// What the server tells the page, as JSON. One key a line: tests/unit/ui/test_typedefs.py compares it with real answers.

import type { Diagnosis } from "./diagnosis_types.d.ts";
import type { LastPhoto } from "./photo_types.d.ts";

export interface Options {
  version: string;
  user: string;
  owns_machine: boolean;
  root_path: string;
  photo_bytes: number;
  resolutions: Resolution[];
  durations: Duration[];
  qualities: Quality[];
  models: ModelOption[];
  upscalers: Offered[];
  settings: Record<string, SettingWords>;
  numbers: NumberRange[];
  texts: TextSetting[];
  loras: string[];
  lora_strength: NumberRange;
  most_loras: number;
  ideas: Idea[];
}

/** What a setting is called, and what it is for. */
export interface SettingWords {
  label: Words;
  help: Words;
}

/** What a setting may be that is a number. own: only some models take it. */
export interface NumberRange {
  key: string;
  min: number;
  max: number;
  step: number;
  own: boolean;
}

/** A ready prompt. prompt: the English one goes to the model. */
export interface Idea {
  name: string;
  label: Words;
  prompt: Words;
}

/** What a setting may be that is free text. most: letters. folded: among the advanced settings. */
export interface TextSetting {
  key: string;
  most: number;
  own: boolean;
  folded: boolean;
}

/** Pixels of a 16:9 video of this name. shapes: [width, height] of those that are not as the photo, by shape. */
export interface Resolution {
  name: string;
  width: number;
  height: number;
  shapes: Record<string, number[]>;
}

/** fps: frames a second that the model makes. */
export interface Duration {
  seconds: number;
  fps: number;
}

/** interpolation: so many frames come out for each one of the model's. */
export interface Quality {
  name: string;
  label: string;
  interpolation: number;
  advanced: boolean;
}

/** What can be downloaded. missing: why it cannot be used now; null: it can. */
export interface Offered {
  name: string;
  label: string;
  summary: Words;
  missing: Words | null;
  source: string;
  repository: string;
  download_gb: number;
  gated: boolean;
  licence: Licence;
}

/** modes: the steps of each. motions: the motion_bucket_id of each word, {}: it is not told how much. absent: it can be downloaded, and nothing of it is here. purpose: what it is for. can: what others cannot. recommended: why it is. */
export interface ModelOption extends Offered {
  purpose: Words | null;
  can: Lists;
  recommended: Words | null;
  demo: boolean;
  absent: boolean;
  trial: boolean;
  random: boolean;
  width: number;
  height: number;
  frames: number;
  sampling: Sampling;
  modes: Record<string, number>;
  takes: string[];
  ideas: string[];
  motions: Record<string, number>;
  rates: Record<string, number[]>;
}

export interface Sampling {
  steps: number;
  schedule: string;
  min_guidance: number;
  max_guidance: number;
  fps: number;
  motion_bucket_id: number;
  noise_aug_strength: number;
  lora_strength: number;
  negative_prompt: string;
}

export interface Licence {
  name: string;
  url: string;
  notice: string;
  powered_by: string;
}

/** One sentence in each language of the page. */
export interface Words {
  en: string;
  ru: string;
}

export interface Lists {
  en: string[];
  ru: string[];
}

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

/** gpu: its UUID, "none": the processor, "": the one that it finds. heartbeat_age (s), samples: in the System view's answer only. */
export interface Worker {
  id: string;
  host: string;
  pid: number;
  state: string;
  alive: boolean;
  started: number;
  device: Words | null;
  job: string;
  stage: string;
  last_output: string;
  cause: Words;
  restarts: number;
  gpu: string;
  crashes: number;
  last_crash: Crash | null;
  heartbeat_age?: number;
  samples?: Sample[];
}

/** Time in Unix seconds. */
export interface Crash {
  time: number;
  cause: Words;
}

/** Of a device. load: per cent; used, total: bytes; temperature: °C; null where it is not known. */
export interface Sample {
  time: number;
  device: string;
  name: string;
  load: number | null;
  used: number;
  total: number;
  temperature: number | null;
  stage: string;
}

export interface System {
  versions: Record<string, string>;
  system: string;
  disk: Disk;
  workers: Worker[];
  models: Model[];
  upscalers: UpscalerHere[];
  report: string;
}

/** Bytes. */
export interface Disk {
  jobs: number;
  models: number;
  free: number;
}

/** What is on this machine. bytes: of its files. */
export interface Files {
  state: string;
  bytes: number;
  download: Download | null;
  check: ModelCheck | null;
}

export interface Model extends ModelOption, Files {
}

export interface UpscalerHere extends Offered, Files {
}

export type AnyModel = Model | UpscalerHere;

/** done, total: bytes; speed: bytes a second. */
export interface Download {
  status: string;
  phase: string;
  done: number;
  total: number;
  speed: number;
  seconds_left: number | null;
  message: string;
  code: string;
  error: string;
  page: string;
  fault: Faults | null;
}

export interface Faults {
  en: Fault;
  ru: Fault;
}

export interface Fault {
  code: string;
  title: string;
  cause: string;
  fix: string;
}

export interface ModelCheck {
  status: string;
  done: number;
  total: number;
  damaged: string[];
  error: string;
}

export interface Doctor {
  result: string;
  checks: DoctorCheck[];
}

export interface DoctorCheck {
  key: string;
  result: string;
  name: string;
  detail: string;
  code: string;
  title: string;
  cause: string;
  fix: string;
}

/** What a video takes on this machine: seconds, and bytes of memory out of total. modes: the seconds of each. */
export interface ModelCost {
  fault: Faults | null;
  seconds: number;
  device: string;
  memory: number;
  total: number;
  width: number;
  height: number;
  shrunk: boolean;
  fits: boolean;
}

/** modes: the seconds of each. */
export interface Cost extends ModelCost {
  modes: Record<string, number>;
}

/** [id, time, kind, level, text]: text is a line of the log, a Sample without its time as JSON, or Faults. */
export type Event = [number, number, "log" | "watch", string, string] | [number, number, "fault", string, Faults];

export type * from "./export_types.d.ts";
export type * from "./machine_types.d.ts";
export type * from "./page_types.d.ts";
export type * from "./photo_types.d.ts";
