// What the server tells about a failed job, as JSON.

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
