// @ts-check
// The chosen photos as the form shows them, with what the clip makes of them.

import { t } from "../../lib/catalogue.js";
import { find, h, icon, ICONS, show } from "../../lib/dom.js";
import { CropFrame } from "./crop_frame.js";
import { framing } from "./framing.js";

/** @import { Photo } from "../../types.d.ts" */

export class PhotoTiles {
  /** @param {boolean} several there may be more than one @param {{ choose: (add: boolean) => void, remove: (photo: Photo) => void, move: (position: number) => void }} acts */
  constructor(several, acts) {
    this.several = several;
    this.acts = acts;
    /** @type {{ photo: Photo, figure: HTMLElement, crop: CropFrame }[]} */
    this.tiles = [];
    this.element = h("div", { class: "photos", hidden: true });
  }

  /** @param {Photo[]} photos */
  draw(photos) {
    show(this.element, photos.length > 0);
    this.element.classList.toggle("one", photos.length === 1);
    this.tiles = photos.map((photo) => {
      const crop = new CropFrame(photo.name, this.acts.move);
      return { photo, crop, figure: this.tile(photo, crop) };
    });
    const add = h("button", { type: "button", class: "add", title: t("photo.add"), onclick: () => this.acts.choose(true) }, icon(ICONS.plus), h("span", {}, t("photo.add")));
    this.element.replaceChildren(...this.tiles.map(({ figure }) => figure), ...(this.several ? [add] : []));
  }

  /** @param {Photo} photo @param {CropFrame} crop */
  tile(photo, crop) {
    const ground = h("div", { class: "ground", hidden: true });
    ground.style.backgroundImage = `url("${photo.view}")`;
    return h("figure", { title: photo.name },
      h("div", { class: "canvas" }, ground, h("img", { src: photo.view, alt: photo.name, width: photo.width, height: photo.height }), crop.element),
      h("figcaption", {}, `${photo.name} · ${photo.width} × ${photo.height}`),
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

  /** @param {(photo: Photo) => number[] | undefined} size the clip's [width, height] @param {string} fit crop or pad @param {number} position of what a cut keeps, 0..1 */
  frame(size, fit, position) {
    for (const { photo, figure, crop } of this.tiles) {
      const cut = framing(photo, size(photo), fit, position);
      find(figure, ".canvas").style.setProperty("--ratio", String(cut.ratio));
      show(find(figure, ".ground"), cut.padded);
      crop.draw(cut, position);
    }
  }
}
