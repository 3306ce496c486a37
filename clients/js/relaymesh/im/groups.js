/** Groups and their members. Each answer is the `ok` of docs/protocol.md. */

import { newId } from "../frames.js";

export class Groups {
  #ask;

  constructor(ask) {
    this.#ask = ask;
  }

  /** Makes a group of oneself and friends; the same `mid` again makes no second one. */
  create(name, members, { mid = newId() } = {}) {
    return this.#ask("group_create", { mid, name, members });
  }

  rename(conv, name) {
    return this.#ask("group_update", { conv, name });
  }

  invite(conv, uids) {
    return this.#ask("group_invite", { conv, uids });
  }

  leave(conv) {
    return this.#ask("group_leave", { conv });
  }

  kick(conv, uids) {
    return this.#ask("group_kick", { conv, uids });
  }

  role(conv, uid, role) {
    return this.#ask("group_role", { conv, uid, role });
  }

  /** Silences `uid`, or without one all plain members, for `forS` seconds; 0 ends it. */
  mute(conv, forS, uid) {
    return this.#ask("group_mute", { conv, for_s: forS, ...(uid && { uid }) });
  }

  transfer(conv, uid) {
    return this.#ask("group_transfer", { conv, uid });
  }

  dissolve(conv) {
    return this.#ask("group_dissolve", { conv });
  }

  /** Keeps a group hot, or no longer; only a token of role `server` may. */
  tag(conv, hot) {
    return this.#ask("group_tag", { conv, hot });
  }

  info(conv) {
    return this.#ask("group_info", { conv });
  }

  /** Returns a page of members, by uid. */
  members(conv, { limit = 100, cursor = "" } = {}) {
    return this.#ask("group_members", { conv, limit, cursor });
  }
}
