/** Asks the gateway for its status; the token, where one is needed, lives in this module alone. */

const PATIENCE_MS = 5000;

let token = "";

/** Uses `value` from now on, without keeping it anywhere. */
export function useToken(value) {
  token = value.trim();
}

/** The gateway wants another token, or any at all. */
export class NotAllowedError extends Error {}

/** Returns what /v1/status answers; throws `NotAllowedError`, or `Error` when nothing useful comes. */
export async function ask() {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch("/v1/status", { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.status === 401 || answer.status === 403) {
    throw new NotAllowedError(token ? "The gateway does not take this token." : "");
  }
  if (!answer.ok) throw new Error(`the gateway answers ${answer.status}`);
  return answer.json();
}
