/**
 * A client for relaymesh: live rooms and instant messages (protocol `relaymesh.v1.json`,
 * docs/protocol.md).
 *
 * It comes back after a broken connection and resumes where it was, delivers each message once and
 * in order, fetches what is missing, repeats a message with the same `mid` until it is answered,
 * and merges likes. ES modules, no build step, no dependencies.
 *
 *     const client = new RelaymeshClient({ gateway: location.origin, token, im: { uid } });
 *     client.on("push", ({ kind, room, frame }) => console.log(room, kind, frame.text));
 *     client.on("message", ({ conv, uid, body }) => console.log(conv, uid, body.text));
 *     await client.join("lobby", { history: 20 });
 *     await client.chat("lobby", "hello");
 *     await client.im.send("d:ann|bob", { text: "hello" });
 */

export { Backoff } from "./relaymesh/backoff.js";
export { RelaymeshClient } from "./relaymesh/client.js";
export { EndpointChoice } from "./relaymesh/endpoints.js";
export { Closed, Refused, Unanswered } from "./relaymesh/errors.js";
export { everyNumber, Incoming, risingNumbers } from "./relaymesh/im/incoming.js";
export { Outbox } from "./relaymesh/im/outbox.js";
export { LikeMerger } from "./relaymesh/likes.js";
export { Login } from "./relaymesh/login.js";
export { Stream } from "./relaymesh/stream.js";
