import * as wire from "./wire.js";

/** How long a tool may take before the model is told that it did not answer, in milliseconds. */
const TIMEOUT_MS = 20_000;

/**
 * Something the avatar may ask the page to do.
 *
 * @typedef {wire.ToolDescription & {run: (args: any) => unknown}} Tool  `run` may be asynchronous; what it returns goes
 *   to the model, as text or as JSON
 */

/**
 * Runs a tool that the server asked for.
 *
 * @param {readonly Tool[]} tools
 * @param {string} name
 * @param {unknown} args
 * @returns {Promise<string>}  for the model, also when something went wrong
 */
export async function runTool(tools, name, args) {
  const tool = tools.find((candidate) => candidate.name === name);
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
