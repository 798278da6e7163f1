// The npm package `openai`: its client of the Realtime interface, over `ws`. It dials wss only.

import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { check, HOURS, INSTRUCTIONS, KEY, MODEL, pieces, run, TLS_URL, WEATHER } from "./scenes.mjs";

const client = new OpenAI({
  apiKey: KEY,
  baseURL: TLS_URL.replace("wss:", "https:").replace("/realtime", ""),
});

/** A session that is configured; `next` gives its events, and fails with an error of the server's. */
async function connected(session) {
  const rt = new OpenAIRealtimeWS({ model: MODEL }, client);
  const events = [];
  let wake = () => {};
  let broken;
  rt.on("event", (event) => (events.push(event), wake()));
  rt.on("error", (error) => ((broken = error), wake()));
  const next = async () => {
    while (!events.length) {
      if (broken) throw broken;
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
  await until("session.created");
  rt.send({ type: "session.update", session: { type: "realtime", instructions: INSTRUCTIONS, ...session } });
  await until("session.updated");
  return { rt, next, until };
}

function ask(rt, words) {
  const content = [{ type: "input_text", text: words }];
  rt.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
  rt.send({ type: "response.create" });
}

function say(rt) {
  for (const piece of pieces()) rt.send({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
}

async function answer(next) {
  let words = "";
  let bytes = 0;
  for (;;) {
    const event = await next();
    if (event.type === "response.output_text.delta" || event.type === "response.output_audio_transcript.delta")
      words += event.delta;
    else if (event.type === "response.output_audio.delta") bytes += Buffer.from(event.delta, "base64").length;
    else if (event.type === "response.done") return { words, bytes, response: event.response };
  }
}

await run({
  async text() {
    const { rt, next } = await connected({ output_modalities: ["text"] });
    ask(rt, "What are your opening hours?");
    const { words } = await answer(next);
    check(HOURS.test(words), words);
    rt.close();
  },

  async audio() {
    const { rt, next } = await connected({});
    say(rt);
    const { words, bytes } = await answer(next);
    check(HOURS.test(words), words);
    check(bytes > 48_000, "too short");
    rt.close();
  },

  async function() {
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const tool = { type: "function", name: "get_weather", description: "The weather of a city.", parameters };
    const { rt, next } = await connected({ output_modalities: ["text"], tools: [tool] });
    ask(rt, "How is the weather in Paris?");
    const { response } = await answer(next);
    const [call] = response.output;
    check(call.type === "function_call" && JSON.parse(call.arguments).city === "Paris", call);
    rt.send({
      type: "conversation.item.create",
      item: { type: "function_call_output", call_id: call.call_id, output: "sunny" },
    });
    rt.send({ type: "response.create" });
    const { words } = await answer(next);
    check(WEATHER.test(words), words);
    rt.close();
  },

  async interruption() {
    const { rt, next, until } = await connected({});
    ask(rt, "Tell me a story.");
    const delta = await until("response.output_audio.delta");
    say(rt);
    await until("input_audio_buffer.speech_started");
    rt.send({ type: "conversation.item.truncate", item_id: delta.item_id, content_index: 0, audio_end_ms: 50 });
    const { response } = await answer(next);
    check(response.status === "cancelled" && response.status_details.reason === "turn_detected", response);
    const { words } = await answer(next);
    check(HOURS.test(words), words);
    rt.close();
  },
});
