// The npm package `@openai/agents`: a RealtimeAgent with a strict function tool and an MCP server's tools.

import { hostedMcpTool } from "@openai/agents";
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from "@openai/agents/realtime";
import { z } from "zod";
import { check, HOURS, INSTRUCTIONS, KEY, MCP_URL, MODEL, pieces, run, TLS_URL, WEATHER } from "./scenes.mjs";

let asked = [];
const weather = tool({
  name: "get_weather",
  description: "The weather of a city.",
  parameters: z.object({ city: z.string(), unit: z.string().nullable().optional() }),
  strict: true,
  execute: async ({ city }) => (asked.push(city), "sunny"),
});

async function connected({ tools = [weather], ...config } = {}) {
  const agent = new RealtimeAgent({ name: "Shop", instructions: INSTRUCTIONS, tools });
  const transport = new OpenAIRealtimeWebSocket({ url: `${TLS_URL}?model=${MODEL}` });
  const session = new RealtimeSession(agent, { transport, model: MODEL, config });
  const events = [];
  let wake = () => {};
  let broken;
  session.on("transport_event", (event) => (events.push(event), wake()));
  session.on("error", ({ error }) => ((broken = error), wake()));
  const next = async () => {
    while (!events.length) {
      if (broken) throw new Error(JSON.stringify(broken?.error ?? broken?.message ?? broken));
      await new Promise((resolve) => (wake = resolve));
    }
    return events.shift();
  };
  const until = async (type) => {
    for (;;) {
      const event = await next();
      if (event.type === type) return event;
    }
  };
  await session.connect({ apiKey: KEY });
  return { session, next, until };
}

async function answer(next) {
  let words = "";
  for (;;) {
    const event = await next();
    if (event.type === "response.output_text.delta" || event.type === "response.output_audio_transcript.delta")
      words += event.delta;
    else if (event.type === "response.done") return { words, response: event.response };
  }
}

function say(session) {
  for (const piece of pieces())
    session.sendAudio(piece.buffer.slice(piece.byteOffset, piece.byteOffset + piece.byteLength));
}

await run({
  async text() {
    const { session, next } = await connected({ outputModalities: ["text"] });
    session.sendMessage("What are your opening hours?");
    const { words } = await answer(next);
    check(HOURS.test(words), words);
    session.close();
  },

  async audio() {
    const { session, next } = await connected();
    let bytes = 0;
    session.on("audio", ({ data }) => (bytes += data.byteLength));
    say(session);
    const { words } = await answer(next);
    check(HOURS.test(words), words);
    check(bytes > 48_000, "too short");
    session.close();
  },

  async function() {
    asked = [];
    const { session, next } = await connected();
    session.sendMessage("How is the weather in Paris?");
    await answer(next);
    const { words } = await answer(next);
    check(asked.join() === "Paris", asked);
    check(WEATHER.test(words), words);
    session.close();
  },

  async interruption() {
    const { session, next, until } = await connected();
    const interrupted = new Promise((resolve) => session.on("audio_interrupted", resolve));
    session.sendMessage("Tell me a story.");
    await until("response.output_audio.delta");
    say(session);
    await interrupted;
    const { response } = await answer(next);
    check(response.status === "cancelled", response);
    const { words } = await answer(next);
    check(HOURS.test(words), words);
    session.close();
  },

  async mcp() {
    const shop = hostedMcpTool({ serverLabel: "shop", serverUrl: MCP_URL, requireApproval: "always" });
    const { session, next, until } = await connected({ tools: [shop], outputModalities: ["text"] });
    const listed = new Promise((resolve) => session.on("mcp_tools_changed", resolve));
    session.on("tool_approval_requested", (_context, _agent, { approvalItem }) => session.approve(approvalItem));
    const names = (await listed).map(({ name }) => name);
    check(names.includes("price"), names);
    session.sendMessage("What is the price of a cleaning?");
    await until("response.mcp_call.completed");
    session.transport.requestResponse();
    const { words } = await answer(next);
    check(/twelve fifty/.test(words), words);
    session.close();
  },
});
