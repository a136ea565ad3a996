import { Scene } from "../visavis.js";
import { explain } from "./explanations.js";
import { keepAwake } from "./wake-lock.js";

/** @typedef {import("../visavis.js").VisavisError} VisavisError */

/**
 * @typedef {object} Surroundings
 * @property {import("./view.js").View} view  where the call is shown
 * @property {import("./words.js").Words} words
 * @property {string} name  the avatar's, or ""
 * @property {(type: string, detail: unknown) => void} tell  an event for the page
 * @property {(details: import("../visavis.js").DisconnectDetails) => void} onEnd  a call that stood is over
 */

/** One call: a scene, and what of it is shown. */
export class Visit {
  scene;
  #view;
  #words;
  #name;
  #tell;
  #sleep = keepAwake();
  #connected = false;

  /**
   * @param {import("../visavis.js").SceneOptions} options
   * @param {Surroundings} surroundings
   * @throws {TypeError}  options that cannot work
   */
  constructor(options, { view, words, name, tell, onEnd }) {
    this.#view = view;
    this.#words = words;
    this.#name = name;
    this.#tell = tell;
    try {
      const { video, canvas } = view.stage;
      this.scene = new Scene({ ...options, videoElement: video, canvasElement: canvas, poster: false });
    } catch (error) {
      this.#sleep();
      throw error;
    }
    this.#listen();
    this.scene.onDisconnectedEvent.addListener((_, sessionId, reason, details) => {
      tell("disconnected", { sessionId, reason, details });
      onEnd(details);
    });
  }

  get connected() {
    return this.#connected;
  }

  /**
   * @param {import("../visavis.js").ConnectOptions} options
   * @returns {Promise<string>}  the session's id
   * @throws {VisavisError}
   */
  async connect(options) {
    const { view, scene } = { view: this.#view, scene: this.scene };
    view.stage.calling();
    view.transcript.begin(this.#name);
    view.devices.follow(scene);
    let sessionId;
    try {
      sessionId = await scene.connect(options);
    } catch (error) {
      if (/** @type {VisavisError} */ (error).name !== "noSessionToResume") {
        throw error;
      }
      // The scene has forgotten it, so the next one is new: what the visitor wants is to talk.
      sessionId = await scene.connect(options);
    }
    this.#connected = true;
    view.stage.live();
    view.stage.showActivity(scene.activity);
    view.stage.showDevices(scene);
    this.#tell("connected", { sessionId });
    return sessionId;
  }

  /** The call is over: give back what it took of the view. */
  end() {
    this.#sleep();
    this.#view.devices.follow(null);
    this.#view.stage.rest();
  }

  async toggleMicrophone() {
    const { scene } = this;
    try {
      await scene.setMicrophone(!scene.microphoneOn);
    } catch (error) {
      const { title, text } = explain(/** @type {VisavisError} */ (error).code);
      this.#view.transcript.note(`${title}. ${text}`);
    }
    this.#view.stage.showDevices(scene);
  }

  async toggleCamera() {
    const { scene } = this;
    const { transcript, stage } = this.#view;
    const on = !scene.cameraOn;
    try {
      if ((await scene.setCamera(on)) !== on) {
        // The avatar does not look, which the scene has told: no more is to be had of this button.
        stage.mute.focus({ preventScroll: true });
        stage.camera.hidden = true;
      }
    } catch {
      // Why does not matter to the call, which goes on; what helps is the same for each cause.
      transcript.note(this.#words.cameraFails);
    }
    stage.showDevices(scene);
  }

  #listen() {
    const { scene } = this;
    const { stage, progress, transcript } = this.#view;
    const tell = this.#tell;
    scene.connectionState.onConnectionStateUpdated.addListener((state) => {
      progress.show(state);
      tell("state", state);
    });
    scene.onCaption.addListener((caption) => {
      transcript.show(caption);
      tell("caption", caption);
    });
    scene.onActivity.addListener((activity) => {
      stage.showActivity(activity);
      if (activity === "listening") {
        stage.attend();
      }
      tell("activity", activity);
    });
    scene.onExpiring.addListener((expiring) => {
      transcript.announce(stage.expire(expiring.seconds, expiring.preventable));
      tell("expiring", expiring);
    });
    scene.onResumed.addListener((resumed) => {
      transcript.restore(resumed.history, this.#connected ? "" : this.#words.resumed);
      tell("resumed", resumed);
    });
    scene.onNotice.addListener((text) => {
      transcript.note(text);
      tell("notice", text);
    });
    scene.onTool.addListener((use) => tell("tool", use));
    scene.onMedia.addListener(({ flowing }) => stage.showTrouble(flowing ? "" : this.#words.interrupted));
    scene.onAudioBlocked.addListener(() => (stage.unblock.hidden = false));
    scene.onMicrophoneLevel.addListener((level) => stage.showLevel(level));
    scene.onMicrophoneLost.addListener((error) => {
      transcript.note(this.#words.microphoneLost);
      stage.showDevices(scene);
      tell("error", error);
    });
  }
}
