// What the clients written for Node have in common: their scenes one after the other, and what is printed of each.

import { readFileSync } from "node:fs";

export const TLS_URL = process.env.ENGINE_TLS_URL; // wss://localhost:PORT/v1/realtime
export const MCP_URL = process.env.MCP_URL;
export const KEY = "any";
export const MODEL = "gpt-realtime";
export const HOURS = /nine to five/;
export const WEATHER = /sunny in Paris/;
export const INSTRUCTIONS = "You answer the telephone of a shop.";
const LIMIT_MS = 60_000;

/** A caller asks for the opening hours, and is silent for a second: s16le at 24 kHz, in pieces of 100 ms. */
export function* pieces() {
  const audio = readFileSync(process.env.SPEECH);
  for (let start = 0; start < audio.length; start += 4800) yield audio.subarray(start, start + 4800);
}

export function check(truth, what) {
  if (!truth) throw new Error(typeof what === "string" ? what : JSON.stringify(what));
}

/** Play each scene; print its name, and why it failed if it did. Exits with 1 if one did. */
export async function run(scenes) {
  const wanted = process.argv.slice(2);
  let failed = 0;
  for (const [name, scene] of Object.entries(scenes)) {
    if (wanted.length && !wanted.includes(name)) continue;
    let timer;
    try {
      await Promise.race([
        scene(),
        new Promise((_, reject) => {
          timer = setTimeout(() => reject(new Error("no end in time")), LIMIT_MS);
        }),
      ]);
      console.log(`passed ${name}`);
    } catch (error) {
      failed = 1;
      console.error(error);
      const words = String(error?.message ?? JSON.stringify(error)).replaceAll(/\s+/g, " ").slice(0, 300);
      console.log(`failed ${name} ${error?.name ?? "Error"}: ${words}`);
    } finally {
      clearTimeout(timer);
    }
  }
  process.exit(failed);
}
