/** The dialogs: add a friend, make or enlarge a group, see who is in one. */

import { byId, dressAvatar, make } from "../look.js";
import { uidOf } from "./account.js";
import { presenceDot, titleOf } from "./list_view.js";

/** Wires the dialogs and the buttons that open them. */
export function wireDialogs(app) {
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  wireFriend(app);
  wireGroup(app);
  wireInfo(app);
}

/** Runs what a form asks for, and shows what went wrong beside it. */
async function attempt(form, work) {
  const problem = form.querySelector(".problem");
  problem.hidden = true;
  try {
    await work();
    form.closest("dialog").close();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

function wireFriend(app) {
  const form = byId("friend-form");
  const show = () => {
    form.reset();
    form.querySelector(".problem").hidden = true;
    byId("friend-dialog").showModal();
  };
  byId("new-friend").addEventListener("click", show);
  byId("first-friend").addEventListener("click", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("friend-name").value.trim();
    if (!name) return;
    attempt(form, async () => {
      const uid = uidOf(name);
      if (uid === app.me) throw new Error("That is your own name.");
      app.names.learn(uid, name);
      await app.ask(uid);
    });
  });
}

function wireGroup(app) {
  const form = byId("group-form");
  byId("new-group").addEventListener("click", () => pick(app, { conv: "", taken: [] }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const uids = [...form.querySelectorAll("input:checked")].map(({ value }) => value);
    const { conv } = form.dataset;
    attempt(form, async () => {
      if (conv) return app.invite(conv, uids);
      await app.createGroup(byId("group-name").value.trim(), uids);
    });
  });
}

/** Opens the choice of friends, for a new group or (`conv`) for one that is. */
function pick(app, { conv, taken }) {
  const form = byId("group-form");
  form.reset();
  form.dataset.conv = conv;
  form.querySelector(".problem").hidden = true;
  byId("group-title").textContent = conv ? "Add friends" : "New group";
  byId("group-done").textContent = conv ? "Add" : "Create";
  byId("group-name-label").hidden = Boolean(conv);
  byId("group-name").required = !conv;
  const friends = app.people.friends.filter((uid) => !taken.includes(uid));
  const picks = friends.map((uid) => friendPick(app, uid));
  if (!picks.length) picks.push(make("p", "preview", conv ? "All your friends are in." : "You have no friends yet."));
  byId("group-picks").replaceChildren(make("legend", "", "Friends"), ...picks);
  byId("group-dialog").showModal();
}

function friendPick(app, uid) {
  const name = app.names.of(uid);
  const label = make("label", "pick");
  const box = make("input");
  box.type = "checkbox";
  box.value = uid;
  label.append(box, dressAvatar(make("span", "avatar"), uid, name), make("span", "", name));
  return label;
}

function wireInfo(app) {
  const form = byId("info-form");
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("whom").addEventListener("click", () => showInfo(app));
  byId("info-leave").addEventListener("click", () => attempt(form, () => app.leave(app.open)));
  byId("info-add").addEventListener("click", () => {
    byId("info-dialog").close();
    const taken = [...byId("info-members").children].map(({ dataset }) => dataset.uid);
    pick(app, { conv: app.open, taken });
  });
}

async function showInfo(app) {
  const form = byId("info-form");
  byId("info-title").textContent = titleOf(app.chats.open(app.open), app);
  byId("info-about").textContent = "";
  byId("info-members").replaceChildren();
  byId("info-dialog").showModal();
  const problem = form.querySelector(".problem");
  problem.hidden = true;
  try {
    const members = await app.loading.members(app.open);
    byId("info-about").textContent = `${members.length} ${members.length === 1 ? "member" : "members"}`;
    byId("info-members").replaceChildren(...members.map((member) => memberRow(app, member)));
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

function memberRow(app, { uid, role }) {
  const row = make("li", "member");
  row.dataset.uid = uid;
  const name = app.names.of(uid);
  const face = make("span", "face");
  face.append(dressAvatar(make("span", "avatar"), uid, name));
  if (app.people.friends.includes(uid)) face.append(presenceDot(app.people.presence(uid)));
  row.append(face, make("span", "middle", uid === app.me ? `${name} (you)` : name));
  if (role && role !== "member") row.append(make("span", "badge", role));
  return row;
}
