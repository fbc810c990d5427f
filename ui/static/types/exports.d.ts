// What the server tells about videos on their way out and about several jobs at once, as JSON.

import type { Words } from "./words.d.ts";

/** A video in another form, on its way or done. fraction: 0..1. */
export interface Export {
  name: string;
  state: string;
  fraction: number;
  error: Words | null;
  url: string;
  download: string;
  bytes: number;
}

/** What was done with several jobs at once. refused: by id, why not. */
export interface Many {
  done: string[];
  refused: Record<string, Words>;
}
