// A modal: its blocks, its inputs, the app's errors below them. What is typed survives the page's refreshes.

import { make } from "./dom.js";
import { blocks, options, text } from "./blocks.js";

const FIELDS = {
  plain_text_input: typed,
  email_text_input: typed,
  url_text_input: typed,
  number_input: typed,
  static_select: select,
  radio_buttons: (block, part) => choices("radio", block, part),
  checkboxes: (block, part) => choices("checkbox", block, part),
  multi_static_select: (block, part) => choices("checkbox", block, part),
};

export function modal(view, names, { submit, close, act }) {
  const fields = new Map();
  const body = view.blocks.flatMap((block) => (block.type === "input" ? [input(block, view, names, fields)] : blocks([block], names, act)));
  const send = (event) => {
    event.preventDefault();
    const buttons = form.querySelectorAll("footer button");
    buttons.forEach((button) => (button.disabled = true));
    submit(Object.fromEntries([...fields].map(([id, read]) => [id, read()]))).finally(() => buttons.forEach((button) => (button.disabled = false)));
  };
  const form = make(
    "form",
    { class: "modal", onsubmit: send, "data-view": view.id, "aria-label": view.title.text, role: "dialog", autocomplete: "off" },
    make("header", {}, make("h2", {}, view.title.text), make("button", { type: "button", class: "cross", onclick: close, "aria-label": "Close" }, "✕")),
    make("div", { class: "modal-body" }, body),
    make("div", { class: "modal-trouble", role: "alert" }),
    make(
      "footer",
      {},
      make("button", { type: "button", class: "button", onclick: close }, view.close?.text ?? "Cancel"),
      view.submit && make("button", { type: "submit", class: "button primary" }, view.submit.text),
    ),
  );
  return make("div", { class: "veil" }, form);
}

function input(block, view, names, fields) {
  const build = FIELDS[block.element.type];
  const field = build ? build(block, block.element) : { node: make("span", { class: "unusable" }, `(${block.element.type})`), read: () => "" };
  fields.set(block.block_id, field.read);
  const error = view.errors[block.block_id];
  return make(
    "div",
    { class: `block input ${error ? "wrong" : ""}`, "data-block": block.block_id },
    make("div", { class: "label" }, text(block.label, names), block.optional && make("span", { class: "optional" }, " (optional)")),
    field.node,
    error && make("div", { class: "error", role: "alert" }, error),
    block.hint && make("div", { class: "hint" }, text(block.hint, names)),
  );
}

function typed(block, part) {
  const field = make(part.multiline ? "textarea" : "input", {
    value: part.initial_value ?? "",
    placeholder: part.placeholder?.text ?? "",
    maxLength: part.max_length ?? 3000,
    required: !block.optional,
    rows: part.multiline ? 3 : undefined,
    spellcheck: false,
    "aria-label": block.label.text,
    "data-action": part.action_id,
  });
  return { node: field, read: () => field.value };
}

function select(block, part) {
  const field = make("select", { required: !block.optional, "aria-label": block.label.text, "data-action": part.action_id });
  field.append(make("option", { value: "" }, part.placeholder?.text ?? "Select an option"));
  field.append(...options(part).map((one) => make("option", { value: one.value }, one.text.text)));
  field.value = part.initial_option?.value ?? "";
  return { node: field, read: () => field.value };
}

function choices(type, block, part) {
  const first = new Set([part.initial_option?.value, ...(part.initial_options ?? []).map((one) => one.value)]);
  const boxes = options(part).map((one) => make("input", { type, name: block.block_id, value: one.value, checked: first.has(one.value) }));
  const lines = options(part).map((one, number) =>
    make("label", {}, boxes[number], make("span", {}, one.text.text, one.description && make("small", {}, one.description.text))),
  );
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const read = () => (type === "radio" ? (chosen()[0] ?? "") : chosen());
  return { node: make("div", { class: "choices", role: "group", "aria-label": block.label.text, "data-action": part.action_id }, lines), read };
}
