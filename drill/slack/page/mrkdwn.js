// Slack's mrkdwn as document nodes: *bold*, _italic_, ~strike~, `code`, ```blocks```, > quotes, <links|labels>, mentions, :emoji:.

import { make, safeAddress } from "./dom.js";

const EMOJI = {
  white_check_mark: "✅", x: "❌", warning: "⚠️", rotating_light: "🚨", lock: "🔒", unlock: "🔓", hourglass: "⌛", fire: "🔥",
  hourglass_flowing_sand: "⏳", mag: "🔍", shield: "🛡️", no_entry: "⛔", eyes: "👀", memo: "📝", pushpin: "📌", bell: "🔔",
  red_circle: "🔴", large_green_circle: "🟢", large_yellow_circle: "🟡", large_blue_circle: "🔵", information_source: "ℹ️",
  heavy_check_mark: "✔️", link: "🔗", clipboard: "📋", stop_sign: "🛑", recycle: "♻️", tada: "🎉", question: "❓",
};
const STYLES = { "*": "strong", "_": "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;

export function unescape(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

// `names` gives the shown names of people and channels by id.
export function mrkdwn(text, names) {
  const nodes = [];
  text.split(/```\n?([\s\S]*?)```/).forEach((part, number) => {
    if (number % 2) nodes.push(make("pre", {}, unescape(part)));
    else if (part) nodes.push(...paragraphs(part.replace(/^\n|\n$/g, ""), names));
  });
  return nodes;
}

export function plain(text) {
  return [emojified(text)];
}

function paragraphs(text, names) {
  const nodes = [];
  let quote = null;
  for (const [number, line] of text.split("\n").entries()) {
    const quoted = line.startsWith("&gt;") || line.startsWith(">");
    if (quoted) {
      if (quote) quote.append(make("br"));
      else nodes.push((quote = make("blockquote")));
      quote.append(...inline(line.replace(/^(&gt;|>)\s?/, ""), names));
      continue;
    }
    if (number && !quote) nodes.push(make("br"));
    quote = null;
    nodes.push(...inline(line, names));
  }
  return nodes;
}

function inline(text, names) {
  const nodes = [];
  let rest = 0;
  let at = 0;
  const flush = (end) => {
    if (end > rest) nodes.push(emojified(unescape(text.slice(rest, end))));
  };
  while (at < text.length) {
    const found = special(text, at, names);
    if (found) {
      flush(at);
      nodes.push(found.node);
      at = rest = found.end;
    } else at += 1;
  }
  flush(text.length);
  return nodes;
}

function special(text, at, names) {
  const sign = text[at];
  if (sign === "`") {
    const end = text.indexOf("`", at + 1);
    return end > at + 1 ? { node: make("code", {}, unescape(text.slice(at + 1, end))), end: end + 1 } : null;
  }
  if (sign === "<") {
    const end = text.indexOf(">", at);
    return end > at + 1 ? { node: entity(text.slice(at + 1, end), names), end: end + 1 } : null;
  }
  return STYLES[sign] ? styled(text, at, names) : null;
}

// A style begins and ends at the edge of a word, as in Slack, so that snake_case and 2*3*4 stay as they are.
function styled(text, at, names) {
  const sign = text[at];
  if (WORD.test(text[at - 1] ?? "") || /\s/.test(text[at + 1] ?? " ")) return null;
  for (let end = text.indexOf(sign, at + 1); end > 0; end = text.indexOf(sign, end + 1)) {
    if (end === at + 1 || /\s/.test(text[end - 1]) || WORD.test(text[end + 1] ?? "")) continue;
    return { node: make(STYLES[sign], {}, inline(text.slice(at + 1, end), names)), end: end + 1 };
  }
  return null;
}

function entity(content, names) {
  const [target, label] = content.split("|", 2);
  if (/^[@#]/.test(target)) return make("span", { class: "mention" }, target[0] + (names.get(target.slice(1)) ?? label ?? target.slice(1)));
  if (target.startsWith("!")) return make("span", { class: "mention loud" }, label ?? `@${target.slice(1)}`);
  const address = safeAddress(unescape(target));
  const shown = unescape(label ?? target);
  return address ? make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, shown) : document.createTextNode(shown);
}

function emojified(text) {
  return document.createTextNode(text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => EMOJI[name] ?? whole));
}
