/** Numbers as people read them. */

/** Returns a count in at most four characters or so: 950, 12.3k, 4.1M. */
export function short(value) {
  const [unit, letter] = UNITS.find(([size]) => Math.abs(value) >= size) ?? [1, ""];
  const scaled = value / unit;
  const digits = Math.abs(scaled) < 10 && !Number.isInteger(scaled) ? 1 : letter && scaled < 100 ? 1 : 0;
  return `${scaled.toFixed(digits).replace(/\.0$/, "")}${letter}`;
}

/** Returns seconds as "12 s", "3 min", "2 h". */
export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** Returns the sum of a table's numbers. */
export function sum(table) {
  return Object.values(table ?? {}).reduce((total, value) => total + (Number(value) || 0), 0);
}

const UNITS = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
