// Builds elements. Text always becomes a text node, so nothing that an app or an attacker wrote is ever markup.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && name !== "list" && name !== "role") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter(Boolean));
}

// A small picture that the style sheet draws; a machine without an emoji font shows it too.
export function icon(name) {
  return make("span", { class: `icon ${name}`, "aria-hidden": "true" });
}

// Only addresses that a browser opens without running anything.
export function safeAddress(text) {
  try {
    const address = new URL(text);
    return ["http:", "https:", "mailto:"].includes(address.protocol) ? address.href : null;
  } catch {
    return null;
  }
}

export function initials(name) {
  return name.split(/\s+/).map((word) => word[0] ?? "").join("").slice(0, 2).toUpperCase();
}

// A steady colour for somebody, chosen by the sum of their id.
export function hue(id) {
  return [...id].reduce((sum, sign) => (sum * 31 + sign.codePointAt(0)) % 12, 7);
}
