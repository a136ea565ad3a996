/** How long a tool may take before the model is told that it did not answer, in milliseconds. */
const TIMEOUT_MS = 20_000;

/**
 * Something the avatar may ask the page to do.
 *
 * @typedef {import("./wire.js").ToolDescription & {run: (args: any) => unknown}} Tool  `run` may be asynchronous; what
 *   it returns goes to the model, as text or as JSON
 */

/** The tools of one scene. */
export class ToolBox {
  /** @type {Map<string, Tool>} */
  #tools = new Map();

  /** @param {readonly Tool[]} tools */
  constructor(tools) {
    for (const tool of tools) {
      this.add(tool);
    }
  }

  get all() {
    return [...this.#tools.values()];
  }

  /** @param {Tool} tool  takes the place of one of the same name */
  add(tool) {
    if (!tool.name || typeof tool.run !== "function") {
      throw new TypeError("a tool needs a name and a function run");
    }
    this.#tools.set(tool.name, tool);
  }

  /** @param {string} name */
  remove(name) {
    this.#tools.delete(name);
  }

  /**
   * Run a tool that the server asked for.
   *
   * @param {string} name
   * @param {unknown} args
   * @returns {Promise<string>}  for the model, also when something went wrong
   */
  async run(name, args) {
    const tool = this.#tools.get(name);
    if (!tool) {
      return JSON.stringify({ error: `this page has no tool called ${name}` });
    }
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("the tool did not answer in time")), TIMEOUT_MS);
    });
    try {
      const result = await Promise.race([tool.run(args), late]);
      return typeof result === "string" ? result : JSON.stringify(result ?? null);
    } catch (error) {
      return JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
    } finally {
      clearTimeout(timer);
    }
  }
}
