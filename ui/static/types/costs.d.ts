// What the server tells about the time and memory of a video, as JSON.

import type { Faults } from "./words.d.ts";

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
