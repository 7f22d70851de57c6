// The unmodified client, run by client_test.go: prints what happens as lines of
// JSON, and calls resume at every connect as a tab does.
"use strict";
const { HttpTransportType, HubConnectionBuilder, LogLevel } = require(process.env.SIGNALR);

const say = (what, detail) => process.stdout.write(JSON.stringify({ what, ...detail }) + "\n");
let at = { epoch: null, number: 0 };

const connection = new HubConnectionBuilder()
  .withUrl(process.env.HUB, { accessTokenFactory: () => process.env.TOKEN, transport: HttpTransportType.WebSockets })
  .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 10 })
  .configureLogging(LogLevel.None)
  .build();

connection.on("outcome", (told) => {
  at = told;
  say("outcome", told); // and returns nothing, so the receipt is an error
});
connection.on("resync", () => say("resync"));
connection.onreconnecting(() => say("reconnecting"));
connection.onclose((error) => say("closed", { error: error?.message ?? "" }));

const resume = async () => {
  const answer = await connection.invoke("resume", { epoch: at.epoch, after: at.number });
  if (at.epoch === null) at = answer;
  say("resumed", answer);
};
connection.onreconnected(resume);
connection.start().then(resume).catch((error) => say("failed", { error: error.message }));
