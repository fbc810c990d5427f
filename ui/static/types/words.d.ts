// What the server says in both languages, as JSON.

/** One sentence in each language of the page. */
export interface Words {
  en: string;
  ru: string;
}

export interface Lists {
  en: string[];
  ru: string[];
}

export interface Faults {
  en: Fault;
  ru: Fault;
}

export interface Fault {
  code: string;
  title: string;
  cause: string;
  fix: string;
}
