// Small plots of the figures at /metrics. They are read again and again, but only while they are seen.

import { send } from "./api.js";
import { make, size } from "./elements.js";

const EVERY = 5000;
const POINTS = 60;
const [WIDTH, HEIGHT] = [240, 60];
const SVG = "http://www.w3.org/2000/svg";

// Each has what to sum, whether it only grows, and how to show a value.
const FIGURES = [
  ["Requests per second", (name) => name === "glance_mini_requests_total", true, (value) => value.toFixed(1)],
  ["Errors per second", (name, labels) => name === "glance_mini_requests_total" && /status="5/.test(labels), true, (value) => value.toFixed(1)],
  ["Received per second", (name) => name === "glance_mini_bytes_received_total", true, (value) => size(Math.round(value))],
  ["Sent per second", (name) => name === "glance_mini_bytes_sent_total", true, (value) => size(Math.round(value))],
  ["Transfers", (name) => name === "glance_mini_transfers", false, String],
  ["Jobs", (name) => name === "glance_mini_jobs_running", false, String],
];

// The samples of the text format: name, labels as text, and value.
export function samples(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const parts = /^([a-z_]\w*)(\{.*\})? ([^ ]+)/.exec(line);
    if (parts) found.push([parts[1], parts[2] ?? "", Number(parts[3])]);
  }
  return found;
}

class LiveFigures extends HTMLElement {
  connectedCallback() {
    this.plots = FIGURES.map(([title]) => new Plot(title));
    this.note = make("p", { className: "bad" });
    this.append(make("h3", {}, "Figures"), this.note, make("div", { className: "plots" }, ...this.plots.map((plot) => plot.element)));
    this.observer = new IntersectionObserver(([entry]) => { this.isSeen = entry.isIntersecting; this.turn(); });
    this.observer.observe(this);
    this.onSeen = () => this.turn();
    document.addEventListener("visibilitychange", this.onSeen);
  }

  disconnectedCallback() {
    this.observer.disconnect();
    document.removeEventListener("visibilitychange", this.onSeen);
    clearTimeout(this.timer);
    this.isSeen = false;
  }

  turn() {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.isSeen && !document.hidden) this.read();
  }

  async read() {
    try {
      const found = samples(await (await send("GET", "../metrics", undefined, { Accept: "text/plain" })).text());
      this.add(found, performance.now() / 1000);
      this.note.textContent = "";
    } catch (error) {
      this.note.textContent = error.message;
    }
    if (this.isSeen && !document.hidden) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.read(), EVERY);
    }
  }

  add(found, now) {
    FIGURES.forEach(([, isIn, grows, words], place) => {
      const sum = found.reduce((all, [name, labels, value]) => (isIn(name, labels) ? all + value : all), 0);
      const before = this.last?.[place];
      if (!grows) this.plots[place].add(sum, words);
      else if (before && now > before[1]) this.plots[place].add(Math.max(0, sum - before[0]) / (now - before[1]), words);
      (this.sums ??= [])[place] = [sum, now];
    });
    this.last = [...this.sums];
  }
}

class Plot {
  constructor(title) {
    this.values = [];
    this.now = make("b", {}, "–");
    this.line = document.createElementNS(SVG, "polyline");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("aria-hidden", "true");
    svg.append(this.line);
    this.element = make("figure", {}, make("figcaption", {}, `${title}: `, this.now), svg);
  }

  add(value, words) {
    this.values = [...this.values, value].slice(-POINTS);
    this.now.textContent = words(value);
    const top = Math.max(...this.values, 1);
    const points = this.values.map((each, place) => `${((place * WIDTH) / (POINTS - 1)).toFixed(1)},${(HEIGHT - 2 - (each / top) * (HEIGHT - 4)).toFixed(1)}`);
    this.line.setAttribute("points", points.join(" "));
  }
}

customElements.define("live-figures", LiveFigures);
