/** The largest picture that servers take, in bytes. */
const MOST_BYTES = 2 * 1024 * 1024;
/** What else than a picture means something: words and names, and colours. */
const WORDS = /^(?:#[0-9A-Fa-f]{6}|[A-Za-z0-9][A-Za-z0-9._-]{0,63})$/u;

/** Whether a background is a picture of the page's own. @param {string} background */
export function isPicture(background) {
  return /^data:/iu.test(background);
}

/**
 * @param {string | Blob} background  as the page gives it
 * @returns {Promise<string>}  as the server takes it
 * @throws {TypeError}
 */
export async function backdropOf(background) {
  if (typeof background === "string") {
    if (!isPicture(background) && !WORDS.test(background)) {
      throw new TypeError('a background must be "own", "blur", a colour, a name or a picture');
    }
    return background;
  }
  if (background.size > MOST_BYTES) {
    throw new TypeError("a background may have 2 MB at most");
  }
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new TypeError("the background cannot be read", { cause: reader.error }));
    reader.readAsDataURL(background);
  });
}
