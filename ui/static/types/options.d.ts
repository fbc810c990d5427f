// What the server tells about what can be asked for, as JSON.

import type { ModelOption, Offered } from "./models.d.ts";
import type { Words } from "./words.d.ts";

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
