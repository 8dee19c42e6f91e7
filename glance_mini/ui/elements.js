// Makes elements. Texts of users become text nodes only, so that nothing in them is markup.

export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element && !key.startsWith("aria") && key !== "list") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${unit ? bytes.toFixed(1) : bytes} ${UNITS[unit]}`;
}

// A time of the API, which is in UTC with or without saying so, in the time and words of the browser.
export function time(text) {
  return text ? new Date(/Z$|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`).toLocaleString() : "–";
}

export function say(text, bad = false) {
  const state = document.getElementById("state");
  state.textContent = text;
  state.classList.toggle("bad", bad);
}

// A button that does something and tells how it went; `words` names it where its label is not enough.
export function action(label, act, words = label) {
  const button = make("button", { type: "button", "aria-label": words }, label);
  button.onclick = async () => {
    button.disabled = true;
    try {
      say("");
      if ((await act()) !== false) say(`${words}: done.`);
    } catch (error) {
      say(error.message, true);
    } finally {
      button.disabled = false;
    }
  };
  return button;
}

export function copyButton(name, text) {
  return action("Copy", () => navigator.clipboard.writeText(text).catch(() => { throw new Error("The browser does not allow it."); }), `Copy ${name}`);
}

export function field(label, name, properties = {}) {
  return make("label", {}, label, make("input", { name, ...properties }));
}

// A choice; each of `values` is a text or a pair of value and text.
export function choice(label, name, values, properties = {}) {
  const options = values.map((each) => (Array.isArray(each) ? each : [each, each])).map(([value, text]) => make("option", { value }, text));
  return make("label", {}, label, make("select", { name, ...properties }, ...options));
}

// A form that sends its values, as a plain object with its texts, to `act`.
export function form(label, fields, submit, act) {
  const made = make("form", { "aria-label": label }, ...fields, make("button", {}, submit));
  const button = made.lastChild;
  made.onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      say("");
      if ((await act(Object.fromEntries(new FormData(made)), made)) !== false) say(`${submit}: done.`);
    } catch (error) {
      say(error.message, true);
    } finally {
      button.disabled = false;
    }
  };
  return made;
}

// A table; each row is a list of texts and elements.
export function table(label, heads, rows) {
  const line = (kind, cells, more) => make("tr", {}, ...cells.map((cell) => make(kind, more, ...[cell].flat())));
  const body = rows.length ? rows.map((row) => line("td", row, {})) : [line("td", ["None."], { colSpan: heads.length })];
  return make("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": label },
    make("table", {}, make("thead", {}, line("th", heads, { scope: "col" })), make("tbody", {}, ...body)));
}

// Fill a place anew; what had the focus has it again if there is its like.
export function refill(place, ...children) {
  const name = (element) => element.getAttribute("aria-label") ?? element.textContent;
  const held = place.contains(document.activeElement) ? document.activeElement : null;
  place.replaceChildren(...children);
  if (held) [...place.querySelectorAll(held.localName)].find((each) => name(each) === name(held))?.focus({ preventScroll: true });
}

const shown = new Set();

// An element that hears the events while it is in the page: `hear(kind, data)`.
export class Live extends HTMLElement {
  connectedCallback() {
    shown.add(this);
    this.begin();
  }

  disconnectedCallback() {
    shown.delete(this);
    this.end?.();
  }
}

export function tell(kind, data) {
  for (const element of [...shown]) element.hear?.(kind, data);
}
