/** Tokens of the demo. One lasts for hours; who gets the next one keeps the uid. */

/** A token is not used for its last minutes: the client asks for another a minute before its end. */
const EARLY_MS = 120_000;
const tokens = new Map();

/** Returns a token for `visitor`: `{name, room?, host?, uid?}`. */
export async function demoToken(visitor) {
  const who = JSON.stringify(visitor);
  const kept = tokens.get(who);
  if (kept && kept.until > Date.now()) return kept.token;
  const body = JSON.stringify({ uid: kept?.uid, ...visitor });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/v1/demo/token", { method: "POST", headers, body });
  const { token, uid, detail } = await answer.json();
  if (!answer.ok) throw new Error(detail ?? answer.statusText);
  tokens.set(who, { token, uid, until: expiryOf(token) - EARLY_MS });
  return token;
}

function expiryOf(token) {
  const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(atob(payload)).exp * 1000;
}
