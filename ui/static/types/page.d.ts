// What the page's own modules share.

import type { Job, Settings } from "./jobs.d.ts";
import type { ModelOption, Offered } from "./models.d.ts";
import type { Words } from "./words.d.ts";

export type Language = keyof Words;

/** The form's values: those of a Settings, but the seed may be left to chance. */
export interface FormValues extends Omit<Settings, "seed"> {
  seed: number | null;
}

/** What the views ask of the page. */
export interface Hooks {
  /** Show a job; known: its state, if at hand; replace: instead of the address that is shown. */
  open(id: string, known?: Job, replace?: boolean): void;
  /** Show a view; replace: instead of the address that is shown. */
  view(name: string, replace?: boolean): void;
  /** Take settings into the form. */
  use(settings: FormValues): void;
  /** Show two videos in step; replace: instead of the address that is shown. */
  compare(pair: [string, string], replace?: boolean): void;
  /** Delete a finished video, which can be called back for a while. */
  remove(job: { id: string; name: string }): void;
  /** Take a job's settings and pictures into the form, to be changed; the seed is drawn anew. */
  redo(job: Pick<Job, "id" | "settings" | "last_photo">): void;
  /** Take a job's seed into the form. */
  seed(seed: number): void;
  /** Take a job's settings and last picture, and choose another photo for them. */
  other(job: Pick<Job, "id" | "settings" | "last_photo">): void;
  models(models: ModelOption[]): void;
  upscalers(upscalers: Offered[]): void;
  /** Let the paused queue go on. */
  resume(): unknown;
  changed(job: Job, before: Job | null): void;
  gone(sentence: string): void;
}

export type Child = Node | string | null | undefined | false;

type Listeners = { [E in keyof HTMLElementEventMap as `on${E}`]?: ((event: HTMLElementEventMap[E]) => unknown) | false };

/** Of an element to be made: properties, attributes, listeners, class and data. */
export type Props = Listeners & { class?: string; data?: Record<string, string>; [name: string]: unknown };
