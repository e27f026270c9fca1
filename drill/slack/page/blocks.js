// Block Kit as document nodes.

import { icon, make, safeAddress } from "./dom.js";
import { mrkdwn, plain } from "./mrkdwn.js";

export function text(object, names) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, names) : plain(object.text);
}

// `act(block, element, value)` is called when somebody uses an element.
export function blocks(list, names, act) {
  return list.map((block) => (RENDER[block.type] ?? unknown)(block, names, act));
}

const RENDER = {
  header: (block) => make("h3", { class: "block header" }, plain(block.text.text)),
  divider: () => make("hr", { class: "block" }),
  section,
  context: (block, names) => make("div", { class: "block context" }, block.elements.map((part) => contextPart(part, names))),
  actions: (block, names, act) => make("div", { class: "block actions" }, block.elements.map((part) => element(block, part, act))),
  image: (block) => make("div", { class: "block picture" }, icon("picture-sign"), block.alt_text),
};

function section(block, names, act) {
  return make(
    "div",
    { class: "block section" },
    make(
      "div",
      { class: "section-words" },
      block.text && make("div", { class: "words" }, text(block.text, names)),
      block.fields && make("div", { class: "fields" }, block.fields.map((field) => make("div", { class: "words" }, text(field, names)))),
    ),
    block.accessory && make("div", { class: "accessory" }, element(block, block.accessory, act)),
  );
}

function contextPart(part, names) {
  return part.type === "image" ? make("span", { class: "picture" }, icon("picture-sign"), part.alt_text) : make("span", { class: "words" }, text(part, names));
}

function element(block, part, act) {
  if (part.type === "button") return button(block, part, act);
  if (part.type === "image") return make("span", { class: "picture" }, icon("picture-sign"), part.alt_text);
  if (part.type === "static_select" || part.type === "overflow") return menu(block, part, act);
  if (part.type === "radio_buttons") return radios(block, part, act);
  return make("span", { class: "unusable" }, `(${part.type})`);
}

function button(block, part, act) {
  const address = part.url && safeAddress(part.url);
  const click = () => {
    if (part.confirm && !window.confirm(`${part.confirm.title?.text ?? ""}\n\n${part.confirm.text?.text ?? ""}`)) return;
    if (address) window.open(address, "_blank", "noopener,noreferrer");
    act(block, part, "");
  };
  const kind = `button ${part.style ?? ""}`;
  return make("button", { type: "button", class: kind, onclick: click, "data-action": part.action_id }, plain(part.text.text));
}

function menu(block, part, act) {
  const first = make("option", { value: "", disabled: true, selected: !part.initial_option }, part.placeholder?.text ?? "⋯");
  const choose = (event) => act(block, part, event.target.value);
  const select = make("select", { class: "menu", onchange: choose, "aria-label": part.placeholder?.text ?? part.action_id });
  select.append(first, ...options(part).map((one) => make("option", { value: one.value }, one.text.text)));
  if (part.initial_option) select.value = part.initial_option.value;
  return select;
}

function radios(block, part, act) {
  const name = `${block.block_id}.${part.action_id}`;
  return make(
    "div",
    { class: "choices" },
    options(part).map((one) => make("label", {}, make("input", { type: "radio", name, onchange: () => act(block, part, one.value) }), one.text.text)),
  );
}

export function options(part) {
  return part.options ?? (part.option_groups ?? []).flatMap((group) => group.options);
}

function unknown(block) {
  return make("div", { class: "block unusable" }, `(a ${block.type} block)`);
}
