/** What a server sends, and ids of our own. */

/** Returns the frames of a server's message; what is no well-formed frame is left out. */
export function framesOf(text) {
  let values;
  try {
    values = JSON.parse(text);
  } catch {
    return [];
  }
  const isFrame = (frame) => {
    if (typeof frame !== "object" || frame === null) return false;
    if (!("reply" in frame)) return typeof frame.push === "string";
    return [frame.ok, frame.error].some((part) => typeof part === "object" && part !== null);
  };
  return Array.isArray(values) ? values.filter(isFrame) : [];
}

/** Returns a new id for a message: 96 random bits. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
