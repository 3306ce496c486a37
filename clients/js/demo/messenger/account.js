/** Who somebody is: in this demo a name is all there is to it, and the uid follows from it. */

const LONGEST = 59;

/** Returns the uid of whoever calls themselves `name`, however they write it. */
export function uidOf(name) {
  const plain = name.normalize("NFKC").trim().toLowerCase();
  const safe = [...plain].map(safeLetter).join("");
  if (safe.length <= LONGEST) return `demo-${safe}`;
  return `demo-${safe.slice(0, LONGEST - 9)}:${hashOf(safe)}`;
}

/** Returns a name for `uid`, for as long as nobody has said it. */
export function nameOf(uid) {
  const plain = uid
    .replace(/^demo-/, "")
    .replaceAll("_", " ")
    .replace(/\.([0-9a-f]{1,6})\./g, (_, hex) => letterOf(hex));
  return plain.replace(/(^|\s)\p{L}/gu, (start) => start.toUpperCase());
}

function letterOf(hex) {
  const code = parseInt(hex, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : "";
}

function safeLetter(letter) {
  if (/[a-z0-9]/.test(letter)) return letter;
  return /\s/.test(letter) ? "_" : `.${letter.codePointAt(0).toString(16)}.`;
}

/** FNV-1a, 32 bits. */
function hashOf(text) {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}

/** The names that people have shown, by uid, kept over a reload. */
export class Names {
  #known;
  #me;

  constructor(me) {
    this.#me = me;
    this.#known = JSON.parse(localStorage.getItem("messenger.names") ?? "{}");
  }

  learn(uid, name) {
    if (!name || this.#known[uid] === name) return;
    this.#known[uid] = name;
    localStorage.setItem("messenger.names", JSON.stringify(this.#known));
  }

  of(uid) {
    return this.#known[uid] || nameOf(uid);
  }

  /** As `of`, from one's own view. */
  forMe(uid) {
    return uid === this.#me ? "You" : this.of(uid);
  }

  list(uids) {
    const names = uids.map((uid) => this.forMe(uid));
    return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  }
}
