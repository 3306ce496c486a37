/** The names of streams (docs/protocol.md). */

export const MAILBOX = "mailbox";
const HOT = "hot:";

export const hotStream = (conv) => HOT + conv;
export const hotGroup = (name) => name.slice(HOT.length);
