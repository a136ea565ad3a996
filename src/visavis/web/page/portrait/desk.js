import { readAddress } from "../address.js";
import { Portraits } from "./api.js";
import { calm } from "./notices.js";

/** @typedef {import("./api.js").Draft} Draft */
/** @typedef {import("./api.js").Offer} Offer */

/** Where the draft's id is kept while this tab is open, so that the page may be loaded anew. */
const KEY = "visavis.draft";

/** What the page is working on. */
class Desk {
  portraits = new Portraits(readAddress().license);
  /** @type {Offer} */
  offer = { statement: "", maxBytes: 0, maxName: 0, findsFaces: true, voices: [], stages: [] };
  /** @type {Draft | null} */
  draft = null;
  /** The photo that was chosen in this tab. @type {File | null} */
  chosen = null;
  #turn = new AbortController();
  /** @type {string[]} */
  #addresses = [];

  /** Begin something, and end what was under way: its signal is aborted. */
  begin() {
    this.#turn.abort();
    this.#turn = new AbortController();
    calm();
    return this.#turn.signal;
  }

  /**
   * An address for a blob, which is given back with the draft.
   *
   * @param {Blob} blob
   */
  addressOf(blob) {
    const address = URL.createObjectURL(blob);
    this.#addresses.push(address);
    return address;
  }

  /** The id of the draft that this tab was about; empty: none. */
  get kept() {
    try {
      return sessionStorage.getItem(KEY) ?? "";
    } catch {
      return "";
    }
  }

  /** @param {string} id */
  keep(id) {
    try {
      sessionStorage.setItem(KEY, id);
    } catch {
      // Without storage, a page that is loaded anew begins anew.
    }
  }

  /** Know nothing of the draft and the photo any more. */
  clear() {
    this.draft = null;
    this.chosen = null;
    this.keep("");
    for (const address of this.#addresses.splice(0)) {
      URL.revokeObjectURL(address);
    }
  }
}

export const desk = new Desk();
