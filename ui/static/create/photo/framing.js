// @ts-check
// What a clip makes of a photo of another shape: the part that it keeps, or the ground around it.

const UNSEEN_CUT = 0.04; // a strip this narrow is not worth a mark (pipeline/media/sizes.py: SAME_SHAPE)
const UNSEEN_PAD = 0.01; // the same for padding (TRIM)

/**
 * ratio: of the canvas that the photo is shown on. padded: whether there is ground around it. inset: of the mark of the
 * part that is kept, as CSS says it, "" where all of it is. axis: along which that part can be moved, x or y. free: the
 * share of the photo's side that is cut off, 0..1.
 *
 * @param {{ width: number, height: number }} photo
 * @param {number[] | undefined} clip its [width, height], where they are known
 * @param {string} fit crop or pad
 * @param {number} [position] of the part that is kept, 0 (left or top) to 1
 */
export function framing(photo, clip, fit, position = 0.5) {
  const shape = photo.width / photo.height;
  const wanted = clip ? clip[0] / clip[1] : shape;
  const keep = wanted / shape;
  const off = Math.abs(Math.log(keep));
  const padded = fit === "pad" && off > UNSEEN_PAD;
  const cut = fit === "crop" && off > UNSEEN_CUT;
  const axis = keep < 1 ? "x" : "y";
  const free = 1 - Math.min(keep, 1 / keep);
  const [before, after] = [100 * free * position, 100 * free * (1 - position)];
  const inset = axis === "x" ? `0 ${after}% 0 ${before}%` : `${before}% 0 ${after}% 0`;
  return { ratio: padded ? wanted : shape, padded, inset: cut ? inset : "", axis, free };
}
