import { VisavisError } from "./errors.js";
import { parseMessage } from "./wire.js";

/**
 * @typedef {object} LineHandlers
 * @property {() => void} onOpen
 * @property {(message: import("./wire.js").ServerMessage) => void} onMessage
 * @property {(close: CloseEvent) => void} onClose  the server or the network closed it; not called after `close`
 */

/** The unified WebSocket. */
export class Line {
  #socket;
  #opened = false;

  /**
   * @param {URL} address
   * @param {LineHandlers} handlers
   * @throws {VisavisError}  the browser does not even try
   */
  constructor(address, { onOpen, onMessage, onClose }) {
    try {
      this.#socket = new WebSocket(address);
    } catch (cause) {
      throw new VisavisError("unreachable", { cause });
    }
    this.#socket.onopen = () => {
      this.#opened = true;
      onOpen();
    };
    this.#socket.onmessage = ({ data }) => {
      const message = parseMessage(data);
      if (message) {
        onMessage(message);
      }
    };
    this.#socket.onclose = onClose;
  }

  /** Whether the connection ever stood. */
  get opened() {
    return this.#opened;
  }

  /** Bytes that the network has not yet taken. */
  get backlog() {
    return this.#socket.bufferedAmount;
  }

  /** @param {object} message  dropped where the socket is not open */
  send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify(message));
    }
  }

  /** No handler is called any more. */
  close() {
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
  }
}

/**
 * @param {URL} server
 * @param {Record<string, string>} query  what is empty is left out
 */
export function lineAddress(server, query) {
  const address = new URL("wss/v2/realtime-chat", server);
  for (const [key, value] of Object.entries(query)) {
    if (value) {
      address.searchParams.set(key, value);
    }
  }
  return new URL(address.href.replace(/^http/, "ws"));
}
