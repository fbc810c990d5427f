// What the server tells about pictures, as JSON.

import type { Lists } from "./words.d.ts";

/** notes: what the file lacks. sizes: the clip's [width, height] by the name of the resolution. */
export interface Photo {
  sizes: Record<string, number[]>;
  id: string;
  name: string;
  width: number;
  height: number;
  view: string;
  notes: Lists;
}

/** The picture that a job's video ends with. poster: a small one. hash: the same for the same picture, "" where it is not known. */
export interface LastPhoto {
  name: string;
  hash: string;
  url: string;
  poster: string;
}
