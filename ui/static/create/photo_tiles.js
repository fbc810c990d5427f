// @ts-check
// The chosen photos as the form shows them, with what the clip makes of them.

import { t } from "../lib/catalogue.js";
import { find, h, icon, ICONS, show } from "../lib/dom.js";
import { framing } from "./framing.js";

/** @import { Photo } from "../types.d.ts" */

export class PhotoTiles {
  /** @param {{ choose: (add: boolean) => void, remove: (photo: Photo) => void }} acts */
  constructor(acts) {
    this.acts = acts;
    /** @type {{ photo: Photo, figure: HTMLElement }[]} */
    this.tiles = [];
    this.element = h("div", { class: "photos", hidden: true });
  }

  /** @param {Photo[]} photos */
  draw(photos) {
    show(this.element, photos.length > 0);
    this.element.classList.toggle("one", photos.length === 1);
    this.tiles = photos.map((photo) => ({ photo, figure: this.tile(photo) }));
    const add = h("button", { type: "button", class: "add", onclick: () => this.acts.choose(true) }, icon(ICONS.plus), t("photo.add"));
    this.element.replaceChildren(...this.tiles.map(({ figure }) => figure), add);
  }

  /** @param {Photo} photo */
  tile(photo) {
    const ground = h("div", { class: "ground", hidden: true });
    ground.style.backgroundImage = `url("${photo.view}")`;
    return h("figure", {},
      h("div", { class: "canvas" }, ground, h("img", { src: photo.view, alt: photo.name, width: photo.width, height: photo.height }), h("div", { class: "frame", "aria-hidden": true, hidden: true })),
      h("figcaption", { title: photo.name }, `${photo.name} · ${photo.width} × ${photo.height}`),
      h("div", { class: "over-tools" },
        h("button", { type: "button", class: "chip", onclick: () => this.acts.choose(false), title: t("photo.replace"), "aria-label": t("photo.replace") }, icon(ICONS.photo)),
        h("button", {
          type: "button", class: "chip", title: t("photo.remove"), "aria-label": t("photo.remove"),
          onclick: () => this.acts.remove(photo),
        }, icon(ICONS.close)),
      ),
    );
  }

  /** The button that removes the photo at a place, or the last one; null where there is none. @param {number} at */
  removeButton(at) {
    const tile = this.tiles[Math.min(at, this.tiles.length - 1)];
    return tile ? find(tile.figure, ".chip:last-child") : null;
  }

  /** @param {(photo: Photo) => number[] | undefined} size the clip's [width, height] @param {string} fit crop or pad */
  frame(size, fit) {
    for (const { photo, figure } of this.tiles) {
      const { ratio, padded, inset } = framing(photo, size(photo), fit);
      const mark = find(figure, ".frame");
      find(figure, ".canvas").style.setProperty("--ratio", String(ratio));
      show(find(figure, ".ground"), padded);
      show(mark, inset !== "");
      if (inset) mark.style.setProperty("inset", inset);
    }
  }
}
