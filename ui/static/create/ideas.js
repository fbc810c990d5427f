// @ts-check
// Example prompts below the prompt's field: one button each, and what the English text says in the page's language.

import { language } from "../lib/catalogue.js";
import { h, setText, show } from "../lib/dom.js";

/** @import { Idea, ModelOption } from "../types.d.ts" */

export class Ideas {
  /** @param {Idea[]} ideas @param {string} label @param {(prompt: string) => void} choose called with the English text, "" to take it back */
  constructor(ideas, label, choose) {
    this.prompt = "";
    this.buttons = ideas.map((idea) => ({
      idea,
      button: h("button", { type: "button", class: "plain small", onclick: () => choose(this.prompt === idea.prompt.en ? "" : idea.prompt.en) }, idea.label[language]),
    }));
    this.said = h("p", { class: "said" });
    this.element = h("div", { class: "ideas", role: "group", "aria-label": label }, this.buttons.map(({ button }) => button), this.said);
  }

  /** @param {string} prompt @param {ModelOption} model */
  draw(prompt, model) {
    this.prompt = prompt;
    let said = "";
    for (const { idea, button } of this.buttons) {
      const chosen = idea.prompt.en === prompt;
      button.setAttribute("aria-pressed", String(chosen));
      show(button, model.ideas.includes(idea.name));
      if (chosen && language !== "en") said = idea.prompt[language];
    }
    setText(this.said, said);
    show(this.said, said !== "");
    show(this.element, model.ideas.length > 0);
  }
}
