/** Where to connect: the gateway names access nodes, and one of them is taken. */

import { Refused } from "./errors.js";

const ANSWER_MS = 10_000;

/** @typedef {{url: string, node?: string}} Endpoint */

/** Asks the gateway where to connect, for the sake of `room`. @returns {Promise<Endpoint[]>} */
export async function askGateway(gateway, room, token) {
  const url = new URL("/v1/connect", gateway);
  if (room) url.searchParams.set("room", room);
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS) });
  const body = await answer.json();
  if (answer.ok) return body.endpoints;
  const refusal = new Refused({ ...body, message: body.detail ?? answer.statusText });
  throw [400, 401, 403].includes(answer.status) ? refusal : new Error(refusal.message);
}

/** Takes the gateway's first choice, unless this client just came from there. */
export class EndpointChoice {
  #failed = [];

  /** @param {Endpoint[]} endpoints */
  choose(endpoints) {
    const rank = (endpoint) => this.#failed.indexOf(endpoint.url);
    return endpoints.reduce((best, each) => (rank(each) < rank(best) ? each : best));
  }

  failed(url) {
    this.#failed = [...this.#failed.filter((each) => each !== url), url].slice(-50);
  }
}
