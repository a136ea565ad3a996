/**
 * What a visitor comes back with: the token of the session that this page (tab, browser) had with an avatar. Where the
 * browser keeps nothing for pages, it is kept as long as the page.
 */
export class ResumeTokens {
  #key;
  /** @type {() => Storage} */
  #storage;
  #kept = "";

  /**
   * @param {false | "tab" | "browser"} persistence
   * @param {URL} server
   * @param {string} avatar  id or name
   */
  constructor(persistence, server, avatar) {
    this.#key = persistence ? `visavis:resume:${server.host}${server.pathname}:${avatar}` : "";
    this.#storage = () => (persistence === "browser" ? localStorage : sessionStorage);
  }

  /** For a page that begins: the token of the session that was left, or "". */
  read() {
    if (!this.#key) {
      return "";
    }
    try {
      return this.#storage().getItem(this.#key) ?? "";
    } catch {
      return this.#kept;
    }
  }

  /** @param {string} token */
  keep(token) {
    this.#kept = token;
    this.#change((storage) => storage.setItem(this.#key, token));
  }

  forget() {
    this.#kept = "";
    this.#change((storage) => storage.removeItem(this.#key));
  }

  /** @param {(storage: Storage) => void} change */
  #change(change) {
    if (this.#key) {
      try {
        change(this.#storage());
      } catch (error) {
        // Storage is forbidden or full: the page's own memory has to do.
        console.debug("visavis: the browser does not keep the session", error);
      }
    }
  }
}
