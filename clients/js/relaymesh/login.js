/** A login at the gateway, as a source of tokens (docs/auth.md). */

import { Refused } from "./errors.js";

const ANSWER_MS = 10_000;
/** A token is exchanged so long before its end, or halfway where it lives for less than twice that:
 * connections are warned a minute before. */
const MARGIN_MS = 90_000;

/** @typedef {{uid: string, sid: string, access_token: string, access_expires_ms: number,
 *   access_token_s: number, refresh_token: string, refresh_expires_ms: number,
 *   fresh_until_ms?: number}} Tokens what the gateway answers and, by this device's own clock, until
 *   when the access token is used */

/**
 * One login on one device.
 *
 *     const login = await Login.logIn(gateway, { name, password, storage: localStorage });
 *     const client = new RelaymeshClient({ gateway, token: login.token });
 *
 * With a `storage` the login outlives the page: `Login.kept(gateway, { storage })` is it, or null.
 * A refresh token is good once, so pages that share a storage refresh one after the other.
 */
export class Login {
  #gateway;
  #storage;
  #key;
  #tokens;
  #refreshing = null;

  /** @param {string} gateway @param {Tokens} tokens @param {{storage?: Storage, key?: string}} kept */
  constructor(gateway, tokens, { storage, key = "relaymesh.login" } = {}) {
    this.#gateway = gateway;
    this.#storage = storage;
    this.#key = key;
    this.#take(tokens);
  }

  /** Makes an account and logs in. @returns {Promise<Login>} */
  static register(gateway, { name, password, device = "", ...kept }) {
    return Login.#begin(gateway, "register", { name, password, device }, kept);
  }

  /** Logs in. @returns {Promise<Login>} */
  static logIn(gateway, { name, password, device = "", ...kept }) {
    return Login.#begin(gateway, "login", { name, password, device }, kept);
  }

  /** The login that an earlier page has kept. @returns {Login | null} */
  static kept(gateway, { storage, key = "relaymesh.login" }) {
    const tokens = JSON.parse(storage.getItem(key) ?? "null");
    return tokens && new Login(gateway, tokens, { storage, key });
  }

  /** Who has logged in. */
  get uid() {
    return this.#tokens.uid;
  }

  /** A token that is not about to end, a fresh one if need be; give it to a client as it is. */
  token = async () => {
    if (!this.#isFresh()) {
      this.#refreshing ??= this.#alone(() => this.#refresh()).finally(() => {
        this.#refreshing = null;
      });
      await this.#refreshing;
    }
    return this.#tokens.access_token;
  };

  /** Ends this login, or all of the user's; connections are closed with 4011. */
  async logOut({ everywhere = false } = {}) {
    const path = everywhere ? "logout-everywhere" : "logout";
    await ask(this.#gateway, path, {}, await this.token());
    this.#storage?.removeItem(this.#key);
  }

  static async #begin(gateway, path, body, kept) {
    return new Login(gateway, received(await ask(gateway, path, body)), kept);
  }

  async #refresh() {
    const kept = JSON.parse(this.#storage?.getItem(this.#key) ?? "null");
    const other = kept && kept.refresh_token !== this.#tokens.refresh_token;
    if (other) this.#take(kept);
    if (this.#isFresh()) return; // another page has done it
    const { refresh_token } = this.#tokens;
    this.#take(received(await ask(this.#gateway, "refresh", { refresh_token })));
  }

  /** Does `work` while no other page does it. */
  #alone(work) {
    const { locks } = globalThis.navigator ?? {};
    return this.#storage && locks ? locks.request(this.#key, work) : work();
  }

  #isFresh() {
    return Date.now() < (this.#tokens.fresh_until_ms ?? 0);
  }

  #take(tokens) {
    this.#tokens = tokens;
    this.#storage?.setItem(this.#key, JSON.stringify(tokens));
  }
}

/** Not by `access_expires_ms`, which is the cluster's clock: this device's may be minutes off. */
function received(tokens) {
  const lifeMs = tokens.access_token_s * 1000;
  return { ...tokens, fresh_until_ms: Date.now() + lifeMs - Math.min(MARGIN_MS, lifeMs / 2) };
}

async function ask(gateway, path, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const url = new URL(`/v1/auth/${path}`, gateway);
  const signal = AbortSignal.timeout(ANSWER_MS);
  const request = { method: "POST", headers, body: JSON.stringify(body), signal };
  const answer = await fetch(url, request);
  const found = await answer.json();
  if (answer.ok) return found;
  const refusal = new Refused({ ...found, message: found.detail ?? answer.statusText });
  throw answer.status < 500 ? refusal : new Error(refusal.message);
}
