/** Where the license is kept while this tab is open. */
const KEY = "visavis.license";

/**
 * What the page's address says. The license is taken out of it, so that it stays in no history entry, bookmark or
 * shared screen; the rest stays.
 *
 * It may stand in the query or, better, behind the `#`, which browsers send to no server.
 *
 * @returns {{license: string, avatarId: string, name: string, model: string}}
 */
export function readAddress() {
  const address = new URL(location.href);
  const fragment = new URLSearchParams(address.hash.slice(1));
  const query = address.searchParams;
  const given = fragment.get("license") ?? query.get("license");
  if (given !== null) {
    keepLicense(given);
    fragment.delete("license");
    query.delete("license");
    address.hash = fragment.toString();
    history.replaceState(null, "", address);
  }
  const read = (/** @type {string} */ key) => query.get(key) ?? fragment.get(key) ?? "";
  return {
    license: given ?? keptLicense() ?? "",
    avatarId: read("avatarId"),
    name: read("name"),
    model: read("model"),
  };
}

/** @param {string} license */
export function keepLicense(license) {
  try {
    sessionStorage.setItem(KEY, license);
  } catch {
    // Storage is blocked or full: this page knows it, the next one asks again.
  }
}

function keptLicense() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** The server that gave this page, also below a path. */
export function ownServer() {
  return new URL(".", location.href.split(/[?#]/u)[0]);
}
