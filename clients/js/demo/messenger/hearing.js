/** What the client tells goes into the models. */

import { isGroup, isSystem } from "./conversations.js";

/** Has `app` hear its client. */
export function hear(app) {
  const { client, tell } = app;
  client.on("connected", ({ node }) => tell.state({ state: "connected", node }));
  client.on("disconnected", (detail) => {
    app.people.forgetPresence();
    tell.state({ state: "connecting", ...detail });
    app.draw();
  });
  client.on("closed", ({ error }) => tell.state({ state: "closed", error }));
  client.on("im", ({ standing }) => {
    tell.state({ standing });
    if (standing !== "away") app.loading.all();
  });
  client.on("mailboxreset", () => {
    // What is missing lies between what is shown and what comes.
    app.forgetThreads();
    app.loading.all();
  });
  client.on("message", (message) => tookMessage(app, message));
  client.on("outbox", (change) => tookOutbox(app, change));
  hearSignals(app);
}

function hearSignals(app) {
  app.client.on("receipt", (receipt) => {
    app.chats.receipt(receipt);
    app.draw();
  });
  app.client.on("typing", (typing) => {
    if (typing.uid === app.me) return;
    app.typing.took(typing);
    app.draw();
  });
  app.client.on("presence", (presence) => {
    app.people.took(presence);
    app.draw();
  });
}

function tookMessage(app, message) {
  const { conv, uid, name } = message;
  app.names.learn(uid, name);
  app.chats.took(message);
  app.typing.stopped(conv, uid);
  if (isSystem(conv)) return tookNews(app, message);
  if (isGroup(conv) && !app.chats.get(conv).name) app.loading.groupName(conv);
  if (message.kind === "group_dissolved") app.chats.get(conv).left = true;
  app.threadOf(conv).take([message]);
  if (conv === app.open) app.look();
  app.draw();
}

/** Takes what the cluster tells this user alone. */
function tookNews(app, { conv, seq, kind, body }) {
  app.im.read(conv, seq);
  if (kind.startsWith("friend_")) app.attempt(() => app.loading.contacts());
  if (kind === "group_joined") {
    app.chats.open(body.conv).left = false;
    app.loading.groupName(body.conv);
  }
  if (kind === "group_left") app.chats.open(body.conv).left = true;
  app.draw();
}

function tookOutbox(app, { entry, sent, error }) {
  const { conv, mid, fields } = entry;
  if (error) app.refused.set(conv, [...(app.refused.get(conv) ?? []), { ...entry, error }]);
  if (sent) {
    const message = { ...sent, mid, conv, kind: "message", uid: app.me, body: fields };
    app.chats.took(message);
    app.threadOf(conv).take([message]);
  }
  app.tell.waiting(app.im.waiting.length);
  app.draw(!sent && !error);
}
