// @ts-check
// What a clip makes of a photo of another shape: the part that it keeps, or the ground around it.

const UNSEEN_CUT = 0.04; // a strip that nobody misses is not worth a mark (pipeline/media/sizes.py: SAME_SHAPE)
const UNSEEN_PAD = 0.01; // the same for padding (TRIM)

/**
 * ratio: of the canvas that the photo is shown on. padded: whether there is ground around it. inset: of the mark of the
 * part that is kept, as CSS says it, "" where all of it is.
 *
 * @param {{ width: number, height: number }} photo
 * @param {number[] | undefined} clip its [width, height], where they are known
 * @param {string} fit crop or pad
 */
export function framing(photo, clip, fit) {
  const shape = photo.width / photo.height;
  const wanted = clip ? clip[0] / clip[1] : shape;
  const keep = wanted / shape;
  const off = Math.abs(Math.log(keep));
  const padded = fit === "pad" && off > UNSEEN_PAD;
  const cut = fit === "crop" && off > UNSEEN_CUT;
  const inset = keep < 1 ? `0 ${50 * (1 - keep)}%` : `${50 * (1 - 1 / keep)}% 0`;
  return { ratio: padded ? wanted : shape, padded, inset: cut ? inset : "" };
}
