/** Ids of conversations (docs/protocol.md): `d:ANN|BOB`, `g:GROUP`, `s:UID`. */

/** Returns the chat of two users, whichever is named first: uids are ASCII, so this is byte order. */
export function direct(uid, other) {
  return `d:${[uid, other].sort().join("|")}`;
}

export const isDirect = (conv) => conv.startsWith("d:");
export const isGroup = (conv) => conv.startsWith("g:");
export const isSystem = (conv) => conv.startsWith("s:");

/** Returns the other user of a chat. */
export function peerOf(conv, me) {
  return conv.slice(2).split("|").find((uid) => uid !== me);
}
