// What the server tells about the machine and the waiting line, as JSON.

import type { ShortSettings } from "./jobs.d.ts";
import type { Words } from "./words.d.ts";
import type { Worker } from "./workers.d.ts";

/** What everybody's page shows all the time. active: one's own jobs that run or wait, the first of them; unlisted: the number of those behind. */
export interface Machine {
  workers: Worker[];
  active: ActiveJob[];
  unlisted: number;
  waiting: number;
  paused: boolean;
  notice: Words;
}

/** length: seconds of the video, with the one that it continues. starts_in, takes: seconds, null: not known. */
export interface ActiveJob {
  id: string;
  name: string;
  status: string;
  cancelling: boolean;
  place: number;
  stage: string;
  fraction: number;
  eta_seconds: number | null;
  attempt: number;
  length: number;
  starts_in: number | null;
  takes: number | null;
  waits_for: Words | null;
  settings: ShortSettings;
}
