// What the server tells about this machine's installation, as JSON.

import type { Model, UpscalerHere } from "./models.d.ts";
import type { Worker } from "./workers.d.ts";

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
