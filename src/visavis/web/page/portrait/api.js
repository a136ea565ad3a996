/**
 * What the server tells of a draft.
 *
 * @typedef {{
 *   width: number, height: number, points: Record<string, [number, number]>, confidence: Record<string, number>,
 *   sure: boolean, glasses: boolean,
 * }} FoundFace
 * @typedef {{
 *   id: string, name: string, voice: string, state: "empty" | "waiting" | "building" | "points" | "ready",
 *   ahead: number, stage: string, share: number, error: {code: string, message: string} | null,
 *   face: FoundFace | null, built: boolean, film: boolean, warnings: string[],
 * }} Draft
 * @typedef {{
 *   statement: string, maxBytes: number, maxName: number, findsFaces: boolean,
 *   voices: {name: string, label: string}[], stages: {name: string, label: string}[],
 * }} Offer
 * @typedef {{points?: Record<string, [number, number]>, glasses?: boolean, voice?: string}} Change
 */

/** The server's address: this page is at `avatars/new` below it. */
const SERVER = new URL("..", location.href.split(/[?#]/u)[0]);

/** A request that the server refused, or that did not reach it (`code` is then `network`). */
export class Refused extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number} status
   */
  constructor(code, message, status = 0) {
    super(message);
    this.name = "Refused";
    this.code = code;
    this.status = status;
  }
}

/** The requests of `/v1/portraits`. The license travels in a header alone. */
export class Portraits {
  /** @param {string} license  empty: none is sent */
  constructor(license) {
    this.license = license;
  }

  /** @returns {Promise<Offer>} */
  offer() {
    return this.#json("GET", "");
  }

  /**
   * @param {string} name
   * @param {string} consent
   * @param {string} voice
   * @returns {Promise<Draft>}
   */
  begin(name, consent, voice) {
    return this.#json("POST", "", { name, consent, voice });
  }

  /**
   * @param {string} id
   * @returns {Promise<Draft>}
   */
  draft(id) {
    return this.#json("GET", `/${id}`);
  }

  /**
   * @param {string} id
   * @param {Change} change
   * @returns {Promise<Draft>}
   */
  change(id, change) {
    return this.#json("PATCH", `/${id}`, change);
  }

  /**
   * @param {string} id
   * @returns {Promise<{avatarId: string, name: string, token?: string}>}
   */
  save(id) {
    return this.#json("POST", `/${id}/save`);
  }

  /** @param {string} id */
  async discard(id) {
    await this.#request("DELETE", `/${id}`);
  }

  /**
   * @param {string} id
   * @param {"photo" | "poster" | "film"} what
   * @returns {Promise<Blob>}
   */
  async picture(id, what) {
    return (await this.#request("GET", `/${id}/${what}`)).blob();
  }

  /**
   * `fetch` does not tell how far an upload is.
   *
   * @param {string} id
   * @param {Blob} photo
   * @param {(share: number) => void} progress
   * @param {AbortSignal} signal
   * @returns {Promise<Draft>}
   */
  upload(id, photo, progress, signal) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PUT", this.#address(`/${id}/photo`));
      request.responseType = "json";
      for (const [name, value] of Object.entries(this.#headers())) {
        request.setRequestHeader(name, value);
      }
      request.setRequestHeader("content-type", photo.type || "application/octet-stream");
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) {
          progress(event.loaded / event.total);
        }
      });
      request.addEventListener("load", () => {
        if (request.status < 300) {
          resolve(request.response);
        } else {
          reject(refused(request.status, request.response));
        }
      });
      request.addEventListener("error", () => reject(unreachable()));
      request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
      signal.addEventListener("abort", () => request.abort(), { once: true });
      request.send(photo);
    });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async #json(method, path, body) {
    return (await this.#request(method, path, body)).json();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async #request(method, path, body) {
    const headers = this.#headers();
    if (body) {
      headers["content-type"] = "application/json";
    }
    let response;
    try {
      response = await fetch(this.#address(path), {
        method,
        headers,
        body: body && JSON.stringify(body),
        cache: "no-store",
      });
    } catch {
      throw unreachable();
    }
    if (!response.ok) {
      throw refused(response.status, await response.json().catch(() => null));
    }
    return response;
  }

  /** @returns {Record<string, string>} */
  #headers() {
    return this.license ? { authorization: `Bearer ${this.license}` } : {};
  }

  /** @param {string} path */
  #address(path) {
    return new URL(`v1/portraits${path}`, SERVER);
  }
}

/**
 * @param {number} status
 * @param {any} body
 */
function refused(status, body) {
  return new Refused(body?.code ?? "failed", body?.message ?? "The server could not do this. Try again.", status);
}

function unreachable() {
  return new Refused("network", "The server cannot be reached. Look whether it is running, and try again.");
}
