// What the server tells of a failed job. One key a line: tests/unit/ui/test_typedefs.py compares it with real answers.

export interface Diagnosis {
  en: Said;
  ru: Said;
}

/** action: the name of what helps, see job/recovery.js. resolution: the next smaller one, "": there is none. */
export interface Said {
  code: string;
  title: string;
  cause: string;
  fix: string;
  tried: string[];
  action: string;
  resolution: string;
  error: string;
}
