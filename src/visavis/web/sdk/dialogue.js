import { Captions } from "./captions.js";

/**
 * What goes on; `listening`: the visitor speaks.
 *
 * @typedef {"idle" | "listening" | "thinking" | "speaking"} Activity
 */

/**
 * @typedef {object} DialogueHandlers
 * @property {(caption: import("./captions.js").Caption) => void} onCaption
 * @property {(activity: Activity) => void} onActivity
 */

/** Follows the conversation by the server's events. */
export class Dialogue {
  #handlers;
  #captions;
  /** @type {Activity} */
  #activity = "idle";
  /** Responses that have spoken, or used a tool, and have not ended. @type {Set<string>} */
  #active = new Set();

  /** @param {DialogueHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#captions = new Captions(handlers.onCaption);
  }

  get activity() {
    return this.#activity;
  }

  /** @param {string} text */
  typed(text) {
    this.#captions.userTyped(text);
    this.#become("thinking");
  }

  /** The avatar waits for a tool. @param {string} responseId */
  usesTool(responseId) {
    this.#active.add(responseId);
    this.#become("thinking");
  }

  /** @param {import("./wire.js").ServerMessage} message  of any type; what is not of the conversation is ignored */
  take({ type, data }) {
    const id = String(data.response_id ?? data.id ?? "");
    switch (type) {
      case "realtime.input_audio_buffer.speech_started":
        this.#captions.speechStarted();
        this.#become("listening");
        break;
      case "realtime.input_audio_buffer.speech_stopped":
        this.#become("thinking");
        break;
      case "realtime.conversation.item.input_audio_transcription.completed": {
        const text = String(data.content ?? data.transcript ?? "").trim();
        this.#captions.userSaid(text);
        if (text === "" && this.#activity === "thinking") {
          this.#become("idle");
        }
        break;
      }
      case "realtime.response.audio_transcript.delta":
        this.#active.add(id);
        this.#captions.answerGrew(id, String(data.delta ?? data.content ?? ""));
        this.#become("speaking");
        break;
      case "realtime.response.audio_transcript.done":
        this.#captions.answerDone(id, String(data.transcript ?? data.content ?? ""));
        break;
      case "realtime.response.audio.done":
        // An answer that was cut short ends when the next one is already being thought of.
        if (this.#activity === "speaking" || (this.#activity === "thinking" && !this.#active.has(id))) {
          this.#become("idle");
        }
        this.#active.delete(id);
        break;
    }
  }

  /** The server is gone, for now or for good: nothing is awaited any more. */
  end() {
    this.#captions.end();
    this.#active.clear();
    this.#become("idle");
  }

  /** @param {Activity} activity */
  #become(activity) {
    if (this.#activity !== activity) {
      this.#activity = activity;
      this.#handlers.onActivity(activity);
    }
  }
}
