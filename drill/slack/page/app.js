// The page: asks for what the chosen person sees, shows it, and does what they do.

import { fill, hue, icon, initials, make } from "./dom.js";
import { blocks } from "./blocks.js";
import { modal } from "./modal.js";
import { mrkdwn } from "./mrkdwn.js";

const POLL_MILLISECONDS = 700;
const TOAST_MILLISECONDS = 6000;
const $ = (id) => document.getElementById(id);

const page = { user: "", channel: "", thread: "", seen: null, shownViews: "", first: true, pinsOpen: false };

async function ask(path, body) {
  const answer = await fetch(`/control/${path}`, body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const result = await answer.json();
  if (!answer.ok) throw new Error([result.error, ...(result.messages ?? [])].join(": "));
  return result;
}

async function refresh(force = false) {
  const since = force || !page.seen ? "" : page.seen.revision;
  try {
    const state = await ask(`state?user=${encodeURIComponent(page.user)}&since=${since}`);
    $("connection").textContent = "";
    if (!state.people) return;
    page.seen = state;
    choose(state);
    show();
  } catch {
    $("connection").textContent = "Reconnecting…";
  }
}

// Keep the person and the channel that the address names, else take the first.
function choose(state) {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const pick = (list, id) => (list.find((one) => one.id === id) ?? list[0])?.id ?? "";
  const user = pick(state.people, page.user || wanted.get("user"));
  page.channel = pick(state.channels, page.channel || wanted.get("channel"));
  if (user !== page.user) {
    page.user = user;
    refresh(true);
  }
  history.replaceState(null, "", `#${new URLSearchParams({ user: page.user, channel: page.channel })}`);
}

function show() {
  const { channels } = page.seen;
  const channel = channels.find((one) => one.id === page.channel);
  $("title").textContent = channel ? label(channel) : "";
  $("topic").textContent = channel?.topic ?? "";
  showPins(channel);
  offerCommands();
  $("draft").placeholder = channel ? `Message #${channel.name}, or /command` : "";
  showPeople();
  fill($("channels"), channels.map((one) => entry(one.id === page.channel, label(one), "", () => go({ channel: one.id, thread: "" }))));
  showMessages();
  showThread();
  showModals();
}

const label = (channel) => `${channel.is_private ? "private" : "#"} ${channel.name}`;

// What is pinned, each with the way to it.
function showPins(channel) {
  const pinned = inChannel().filter((one) => channel?.pinned.includes(one.ts));
  const button = $("pins");
  button.hidden = !pinned.length;
  button.setAttribute("aria-expanded", String(page.pinsOpen));
  fill(button, [icon("pin"), `${pinned.length} pinned`]);
  $("pinned").hidden = !page.pinsOpen || !pinned.length;
  fill(
    $("pinned"),
    pinned.map((one) => make("button", { type: "button", class: "pinned-line", onclick: () => jumpTo(one.ts) }, icon("pin"), firstWords(one))),
  );
}

const firstWords = (one) => one.blocks?.find((block) => block.type === "header")?.text.text ?? one.text;

function jumpTo(ts) {
  const found = $("messages").querySelector(`[data-ts="${ts}"]`);
  found?.scrollIntoView({ block: "center" });
  found?.classList.add("found");
  setTimeout(() => found?.classList.remove("found"), TOAST_MILLISECONDS / 3);
}

// While a command is typed, the app's commands are offered as Slack's client does.
function offerCommands() {
  const typed = $("draft").value;
  const fitting = typed.startsWith("/") && !typed.includes(" ") ? (page.seen?.commands ?? []).filter((one) => one.startsWith(typed)) : [];
  $("commands").hidden = !fitting.length;
  const take = (one) => {
    $("draft").value = `${one} `;
    $("draft").focus();
    offerCommands();
  };
  fill($("commands"), fitting.map((one) => make("button", { type: "button", class: "pinned-line", onclick: () => take(one) }, make("b", {}, one), " countermand")));
}

function showPeople() {
  fill(
    $("people"),
    page.seen.people.map((person) => {
      const more = person.is_stranger ? "other company" : person.is_restricted ? "guest" : "";
      const line = entry(person.id === page.user, person.real_name, more, () => go({ user: person.id }));
      line.firstChild.prepend(avatar(person.id, person.real_name, "small"));
      line.firstChild.dataset.user = person.id;
      return line;
    }),
  );
}

function entry(current, label, more, onclick) {
  const words = make("span", { class: "entry-name" }, label);
  return make("li", {}, make("button", { type: "button", class: current ? "current" : "", "aria-pressed": String(current), onclick }, words, more && make("span", { class: "tag" }, more)));
}

function go(change) {
  Object.assign(page, change);
  history.replaceState(null, "", `#${new URLSearchParams({ user: page.user, channel: page.channel })}`);
  refresh(true);
}

function names() {
  const { people, channels } = page.seen;
  return new Map([...people.map((one) => [one.id, one.real_name]), ...channels.map((one) => [one.id, one.name])]);
}

const inChannel = () => page.seen.messages.filter((one) => one.channel === page.channel);
const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts;

function showMessages() {
  const box = $("messages");
  const atEnd = page.first || box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const roots = inChannel().filter((one) => !isReply(one) || one.subtype === "thread_broadcast");
  const quiet = make("div", { class: "quiet" }, make("strong", {}, "Nothing here yet."), " Messages of the app appear by themselves.");
  fill(box, roots.length ? roots.map((one) => message(one, true)) : [quiet]);
  if (atEnd) box.scrollTop = box.scrollHeight;
  page.first = false;
}

function showThread() {
  const box = $("thread");
  const root = inChannel().find((one) => one.ts === page.thread && !isReply(one));
  box.hidden = !root;
  if (!root) return;
  const list = box.querySelector(".thread-list");
  const atEnd = !list || list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const replies = inChannel().filter((one) => isReply(one) && one.thread_ts === root.ts);
  const count = make("div", { class: "thread-count" }, replies.length === 1 ? "1 reply" : `${replies.length} replies`);
  const lines = make("div", { class: "thread-list" }, message(root, false), count, replies.map((one) => message(one, false)));
  const cross = make("button", { type: "button", class: "cross", "aria-label": "Close thread", onclick: () => go({ thread: "" }) }, "✕");
  fill(box, make("header", { class: "topbar" }, make("h1", {}, "Thread"), cross), lines);
  if (atEnd) lines.scrollTop = lines.scrollHeight;
}

function message(one, withThread) {
  const known = names();
  const isApp = Boolean(one.bot_id);
  const name = isApp ? one.bot_profile.name : (known.get(one.user) ?? one.user);
  const when = new Date(Number(one.ts.split(".")[0]) * 1000);
  const act = (block, element, value) => use(one, block, element, value);
  return make(
    "article",
    { class: `message ${one.is_ephemeral ? "whisper" : ""}`, "data-ts": one.ts },
    avatar(isApp ? "app" : one.user, isApp ? "C" : name),
    make(
      "div",
      { class: "message-body" },
      one.is_ephemeral && make("div", { class: "only-you" }, icon("eye"), "Only visible to you"),
      withThread && isReply(one) && make("button", { type: "button", class: "replied", onclick: () => go({ thread: one.thread_ts }) }, "replied to a thread"),
      one.pinned_to && make("div", { class: "only-you" }, icon("pin"), "Pinned"),
      make("div", { class: "who" }, make("b", {}, name), isApp && make("span", { class: "app" }, "APP"), make("time", { dateTime: when.toISOString() }, when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }))),
      one.blocks?.length ? blocks(one.blocks, known, act) : make("div", { class: "block words" }, mrkdwn(one.text ?? "", known)),
      one.edited && make("span", { class: "edited" }, "(edited)"),
      withThread && one.reply_count && threadLink(one),
    ),
  );
}

function threadLink(one) {
  const words = one.reply_count === 1 ? "1 reply" : `${one.reply_count} replies`;
  return make("button", { type: "button", class: "thread-link", onclick: () => go({ thread: one.ts }) }, words, make("span", {}, "View thread ›"));
}

function avatar(id, name, size = "") {
  return make("span", { class: `avatar hue-${id === "app" ? "app" : hue(id)} ${size}`, "aria-hidden": "true" }, id === "app" ? name : initials(name));
}

function use(one, block, element, value) {
  return done(() => ask("click", { user: page.user, channel: page.channel, ts: one.ts, action_id: element.action_id, block_id: block.block_id, value }));
}

// Rebuild the modals only when they changed, so that what was typed stays.
function showModals() {
  const { views } = page.seen;
  const now = JSON.stringify(views.map((view) => [view.id, view.hash, view.errors]));
  if (now === page.shownViews) return;
  page.shownViews = now;
  const typed = values($("modals"));
  fill($("modals"), views.map((view) => modal(view, names(), handlers(view))));
  restore($("modals"), typed);
  $("modals").querySelector(".veil:last-child :is(input, textarea, select)")?.focus();
}

const held = (box) => [...box.querySelectorAll("[data-view] :is(input, textarea, select)")];
const place = (field) => [field.closest("[data-view]").dataset.view, field.closest("[data-block]")?.dataset.block, field.type === "radio" || field.type === "checkbox" ? field.value : ""].join(" ");

function values(box) {
  return new Map(held(box).map((field) => [place(field), [field.value, field.checked]]));
}

function restore(box, typed) {
  for (const field of held(box)) {
    const before = typed.get(place(field));
    if (before) [field.value, field.checked] = before;
  }
}

function handlers(view) {
  const trouble = (words) => ($("modals").querySelector(`[data-view="${view.id}"] .modal-trouble`).textContent = words);
  return {
    submit: async (given) => {
      trouble("");
      await done(() => ask("submit", { user: page.user, view_id: view.id, values: given }), trouble);
    },
    close: () => done(() => ask("close", { user: page.user, view_id: view.id })),
    act: () => toast("Elements outside inputs cannot be used in this modal."),
  };
}

// Do something, say what went wrong the way Slack does, and show what came of it.
async function done(work, say = toast) {
  try {
    const receipt = await work();
    if (receipt.error) say(`The app did not answer (${receipt.error}).`);
    else if (receipt.status && receipt.status !== 200) say(`The app answered with status ${receipt.status}.`);
  } catch (error) {
    say(`${error.message}`);
  }
  await refresh();
}

function toast(words) {
  const line = make("div", { class: "toast" }, words);
  $("toasts").append(line);
  setTimeout(() => line.remove(), TOAST_MILLISECONDS);
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = $("draft").value.trim();
  if (!words) return;
  $("draft").value = "";
  offerCommands();
  const [command, ...rest] = words.split(" ");
  if (words.startsWith("/")) done(() => ask("command", { user: page.user, channel: page.channel, command, text: rest.join(" ") }));
  else done(() => ask("say", { user: page.user, channel: page.channel, text: words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;") }));
});

$("draft").addEventListener("input", offerCommands);
$("pins").addEventListener("click", () => {
  page.pinsOpen = !page.pinsOpen;
  show();
});

setInterval(refresh, POLL_MILLISECONDS);
refresh();
