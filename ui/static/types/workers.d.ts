// What the server tells about workers and their devices, as JSON.

import type { Words } from "./words.d.ts";

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
