/** Tokens of the demo. One lasts for hours; the same one keeps the same uid over reconnects. */

const EARLY_MS = 60_000;
const tokens = new Map();

/** Returns a token for `visitor`: `{name, room?, host?, uid?}`. */
export async function demoToken(visitor) {
  const body = JSON.stringify(visitor);
  const kept = tokens.get(body);
  if (kept && kept.until > Date.now()) return kept.token;
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/v1/demo/token", { method: "POST", headers, body });
  const { token, detail } = await answer.json();
  if (!answer.ok) throw new Error(detail ?? answer.statusText);
  tokens.set(body, { token, until: expiryOf(token) - EARLY_MS });
  return token;
}

function expiryOf(token) {
  const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(atob(payload)).exp * 1000;
}
