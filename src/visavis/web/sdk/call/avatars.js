import { CallError } from "./errors.js";

/** How long the look-up may take, in milliseconds. */
const TIMEOUT_MS = 10_000;

/**
 * @typedef {object} Avatar
 * @property {string} id
 * @property {string} name
 * @property {string} picture  address of a still picture
 * @property {string} thumbnail  address of a small one
 */

/**
 * The avatars that a license may talk to.
 *
 * @param {URL} server  the server's base address
 * @param {string} license
 * @returns {Promise<Avatar[]>}
 * @throws {CallError} `wrong-license`, `server-gone` or `refused`
 */
export async function listAvatars(server, license) {
  const address = new URL("api/open/v1/avatar/list", server);
  let response;
  try {
    response = await fetch(address, {
      headers: { license },
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new CallError("server-gone", "The server does not answer.", { cause });
  }
  const body = await response.json().catch(() => ({}));
  const code = response.ok ? (body.code ?? 200) : response.status;
  if (code === 401 || code === 403) {
    throw new CallError("wrong-license", body.message ?? "The license is not valid.");
  }
  if (code !== 200 || !Array.isArray(body.data)) {
    throw new CallError("refused", body.message ?? `The server answered with status ${code}.`);
  }
  return body.data.map((/** @type {Record<string, unknown>} */ entry) => ({
    id: String(entry.avatarId ?? entry.id),
    name: String(entry.name ?? ""),
    picture: ownAddress(entry.url || entry.thumbnailUrl, server),
    thumbnail: ownAddress(entry.thumbnailUrl || entry.url, server),
  }));
}

/**
 * The server gives addresses for its public name, which may not be the one it was reached by: what it serves itself is
 * asked from where it answered.
 *
 * @param {unknown} address
 * @param {URL} server
 */
function ownAddress(address, server) {
  if (typeof address !== "string" || address === "") {
    return "";
  }
  const { pathname, search } = new URL(address, server);
  return new URL(pathname + search, server.origin).href;
}
