// AudioCodes' own SDK for bots (npm `@audiocodes/ac-bot-api`): greets, answers what the caller says, and hangs up.
// A chat is echoed. Started beside the simulated caller; prints its port. It takes a caller's 300 ms of silence for the end of a turn.

import { Readable } from "node:stream";
import { BotActivityEventName, BotActivityType, BotApiWebSocket } from "@audiocodes/ac-bot-api";

const tone = (ms) => {
  const samples = Int16Array.from({ length: 16 * ms }, (_, at) => 8000 * Math.sin(at / 5));
  return Readable.from([Buffer.from(samples.buffer)]);
};
const loud = (chunk) => {
  const samples = new Int16Array(chunk.buffer.slice(chunk.byteOffset, chunk.byteOffset + (chunk.length & ~1)));
  return samples.some((sample) => Math.abs(sample) > 1000);
};

const api = new BotApiWebSocket().listen(
  { host: "127.0.0.1", port: Number(process.env.PORT), token: process.env.TOKEN },
  () => console.log("listening"),
);
api.on("conversation", (conversation, { initiateMessage }) => {
  if (initiateMessage.expectAudioMessages) converse(conversation);
  else chat(conversation);
});

function chat(conversation) {
  conversation.on("activity", ({ type, name, text }) => {
    if (name === BotActivityEventName.start) conversation.playTextMessage("Welcome.");
    if (type !== BotActivityType.message) return;
    if (text === "disconnect")
      conversation.sendActivity([{ type: BotActivityType.event, name: BotActivityEventName.hangup }]);
    else conversation.playTextMessage(text);
  });
}

function converse(conversation) {
  let answered = 0;
  conversation.on("activity", ({ name, value }) => {
    if (name === BotActivityEventName.start) {
      const sessionParams = { sendDTMF: true };
      conversation.sendActivity({ type: BotActivityType.event, name: BotActivityEventName.config, sessionParams });
      conversation.playAudio(tone(500));
    }
    if (name === "DTMF" && value === "#")
      conversation.sendActivity({
        type: BotActivityType.event,
        name: BotActivityEventName.hangup,
        activityParams: { hangupReason: "done" },
      });
  });
  conversation.on("userStream", (audio) => {
    let heard = 0;
    let quiet = 0;
    audio.on("data", (chunk) => {
      if (loud(chunk)) {
        heard += 1;
        quiet = 0;
        return;
      }
      quiet += 1;
      if (heard < 5 || quiet < 15) return;
      heard = quiet = 0;
      answered += 1;
      conversation.sendHypothesis("Hello");
      conversation.sendRecognition(`Sentence ${answered}`, 0.9);
      conversation.sendCommitted();
      conversation.playAudio(tone(800), { altText: `Answer ${answered}.`, activityParams: { bargeIn: true } });
    });
  });
}
