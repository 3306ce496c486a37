/** Which of the access nodes that the gateway names is taken. */

/** @typedef {{url: string, node?: string}} Endpoint */

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
