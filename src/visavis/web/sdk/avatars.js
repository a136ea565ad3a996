import { VisavisError } from "./errors.js";
import { baseAddress } from "./options.js";

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
 * @param {string | URL} server  the server's base address
 * @param {string} license  or a client token
 * @returns {Promise<Avatar[]>}
 * @throws {VisavisError}
 */
export async function listAvatars(server, license) {
  const base = baseAddress(server);
  const entries = await lookUp(new URL("api/open/v1/avatar/list", base), license);
  return Array.isArray(entries) ? entries.map((entry) => avatarOf(entry, base)) : [];
}

/**
 * @param {URL} base  the server's base address, with a slash at its end
 * @param {string} license  or a client token
 * @param {{avatarId: string, name: string}} which  the id goes before the name
 * @returns {Promise<Avatar>}
 * @throws {VisavisError}
 */
export async function findAvatar(base, license, { avatarId, name }) {
  const address = new URL(`api/open/v1/avatar/${avatarId ? "detail" : "getByName"}`, base);
  address.searchParams.set(avatarId ? "avatarId" : "name", avatarId || name);
  return avatarOf(/** @type {Record<string, unknown>} */ (await lookUp(address, license)), base);
}

/**
 * @param {URL} address
 * @param {string} license
 * @returns {Promise<unknown>}
 * @throws {VisavisError}
 */
async function lookUp(address, license) {
  let response;
  try {
    response = await fetch(address, {
      headers: { license },
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new VisavisError("unreachable", { cause });
  }
  const body = await response.json().catch(() => ({}));
  const code = response.ok ? (body.code ?? 200) : response.status;
  if (code !== 200 || !body.data) {
    const kind = code === 401 || code === 403 ? "invalid_license" : code === 404 ? "unknown_avatar" : "bad_request";
    throw new VisavisError(kind, { text: body.message ?? `The server answered with status ${code}.` });
  }
  return body.data;
}

/**
 * @param {Record<string, unknown>} entry
 * @param {URL} base
 * @returns {Avatar}
 */
function avatarOf(entry, base) {
  return {
    id: String(entry.avatarId ?? entry.id),
    name: String(entry.name ?? ""),
    picture: ownAddress(entry.url || entry.thumbnailUrl, base),
    thumbnail: ownAddress(entry.thumbnailUrl || entry.url, base),
  };
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
