/** Receipts of the demo's gifts: a platform takes money first, the demo gives them away. */

/** Returns the receipt of a gift: `{uid, room, gift, value, count?}`. */
export async function demoReceipt(gift) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/v1/demo/receipt", { method: "POST", headers, body: JSON.stringify(gift) });
  const { receipt, detail } = await answer.json();
  if (!answer.ok) throw new Error(detail ?? answer.statusText);
  return receipt;
}
