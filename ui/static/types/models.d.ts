// What the server tells about models and upscalers, as JSON.

import type { Faults, Lists, Words } from "./words.d.ts";

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
  message: Words;
  code: string;
  error: Words;
  page: string;
  fault: Faults | null;
}

export interface ModelCheck {
  status: string;
  done: number;
  total: number;
  damaged: string[];
  error: Words;
}
