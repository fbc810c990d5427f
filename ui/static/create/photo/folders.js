// @ts-check
// The files of what was dropped: a folder stands for the photos in it.

const PHOTO = /\.(jpe?g|png|webp|heic|heif|avif|tiff?|bmp|gif)$/i;

/**
 * Files as they are, and of each folder its photos by name, those of its folders after them; other files of a folder
 * (thumbnails' data bases, notes) are left out.
 *
 * @param {FileSystemEntry[]} entries taken while the drop was told: the browser forgets them afterwards
 * @returns {Promise<File[]>}
 */
export async function filesOf(entries) {
  const found = await Promise.all(entries.map((entry) => (entry.isDirectory ? photosIn(/** @type {FileSystemDirectoryEntry} */ (entry)) : [fileOf(/** @type {FileSystemFileEntry} */ (entry))])));
  return Promise.all(found.flat());
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<Promise<File>[]>} */
async function photosIn(folder) {
  const inside = await allOf(folder.createReader());
  inside.sort((one, other) => Number(one.isDirectory) - Number(other.isDirectory) || one.name.localeCompare(other.name, undefined, { numeric: true }));
  const found = await Promise.all(inside.map((entry) => {
    if (entry.isDirectory) return photosIn(/** @type {FileSystemDirectoryEntry} */ (entry));
    return PHOTO.test(entry.name) && !entry.name.startsWith(".") ? [fileOf(/** @type {FileSystemFileEntry} */ (entry))] : [];
  }));
  return found.flat();
}

/** A reader gives a hundred at a time. @param {FileSystemDirectoryReader} reader @returns {Promise<FileSystemEntry[]>} */
async function allOf(reader) {
  const some = /** @type {FileSystemEntry[]} */ (await new Promise((resolve, reject) => reader.readEntries(resolve, reject)));
  return some.length ? [...some, ...(await allOf(reader))] : [];
}

/** @param {FileSystemFileEntry} entry @returns {Promise<File>} */
function fileOf(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
