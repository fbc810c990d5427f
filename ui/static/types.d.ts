// What the server tells the page, as JSON, and what the page's modules share: all of types/, under one name to import.
// One key a line: tests/unit/ui/test_typedefs.py compares them with real answers.

export type * from "./types/costs.d.ts";
export type * from "./types/diagnosis.d.ts";
export type * from "./types/exports.d.ts";
export type * from "./types/jobs.d.ts";
export type * from "./types/machine.d.ts";
export type * from "./types/models.d.ts";
export type * from "./types/options.d.ts";
export type * from "./types/page.d.ts";
export type * from "./types/photos.d.ts";
export type * from "./types/system.d.ts";
export type * from "./types/words.d.ts";
export type * from "./types/workers.d.ts";
