// The catalogue: only the rows that are seen are in the page, and pages are loaded as the user comes to them.

import { call, upload } from "./api.js";
import { make, say, size } from "./elements.js";

const HEIGHT = 44;
const MORE = 12;
const PAGE = 200;
const COLUMNS = [["name", "Name"], ["status", "Status"], ["visibility", "Visibility"], ["size", "Size"], ["updated_at", "Changed"]];
const SORTED = new Set(["name", "status", "size", "updated_at"]);
const FORMATS = { qcow2: "qcow2", img: "raw", raw: "raw", iso: "iso", vmdk: "vmdk", vhd: "vhd", vhdx: "vhdx", vdi: "vdi" };

class ImageList extends HTMLElement {
  connectedCallback() {
    this.rows = [];
    this.sort = ["updated_at", "desc"];
    this.append(this.filters(), this.table());
    this.body.addEventListener("scroll", () => this.show(), { passive: true });
    this.observer = new ResizeObserver(() => this.show());
    this.observer.observe(this.body);
    this.addEventListener("dragover", (event) => { event.preventDefault(); this.classList.add("over"); });
    this.addEventListener("dragleave", () => this.classList.remove("over"));
    this.addEventListener("drop", (event) => { event.preventDefault(); this.classList.remove("over"); this.take([...event.dataTransfer.files]); });
    this.load();
  }

  disconnectedCallback() {
    this.observer.disconnect();
  }

  filters() {
    const choice = (name, label, values) =>
      make("label", {}, label, make("select", { name }, ...values.map((value) => make("option", { value }, value || "any"))));
    this.form = make("form", { role: "search" },
      make("label", {}, "Whole name", make("input", { name: "name", type: "search" })),
      choice("visibility", "Visibility", ["", "public", "community", "shared", "private"]),
      choice("status", "Status", ["", "queued", "saving", "importing", "active", "deactivated"]),
      make("label", {}, "Upload files", make("input", { name: "files", type: "file", multiple: true })));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.load(); });
    this.form.addEventListener("change", (event) => {
      if (event.target.name !== "files") return this.load();
      this.take([...event.target.files]);
      event.target.value = "";
    });
    return this.form;
  }

  table() {
    const heads = COLUMNS.map(([key, label]) => {
      const head = make("div", { role: "columnheader" });
      if (!SORTED.has(key)) head.append(label);
      else head.append(make("button", { type: "button", onclick: () => this.order(key) }, label));
      head.dataset.key = key;
      return head;
    });
    this.head = make("div", { className: "row head", role: "row" }, ...heads);
    this.space = make("div", { role: "presentation" });
    this.body = make("div", { className: "body", role: "rowgroup", tabIndex: 0, "aria-label": "Images" }, this.space);
    this.grid = make("div", { className: "table", role: "table", "aria-label": "Images" }, make("div", { role: "rowgroup" }, this.head), this.body);
    return this.grid;
  }

  order(key) {
    this.sort = [key, this.sort[0] === key && this.sort[1] === "asc" ? "desc" : "asc"];
    this.load();
  }

  async load() {
    const query = new URLSearchParams({ limit: PAGE, sort_key: this.sort[0], sort_dir: this.sort[1] });
    for (const name of ["name", "visibility", "status"]) if (this.form.elements[name].value) query.set(name, this.form.elements[name].value);
    this.isFiltered = query.size > 3;
    for (const head of this.head.children) {
      if (head.dataset.key === this.sort[0]) head.setAttribute("aria-sort", this.sort[1] === "asc" ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    this.rows = [];
    this.next = `images?${query}`;
    this.body.scrollTop = 0;
    this.turn = (this.turn ?? 0) + 1;
    this.isLoading = false;
    await this.more();
  }

  async more() {
    if (!this.next || this.isLoading) return;
    const turn = this.turn;
    this.isLoading = true;
    try {
      const page = await call("GET", this.next);
      if (turn !== this.turn) return;
      const known = new Set(this.rows.map((row) => row.id));
      this.rows.push(...page.images.filter((image) => !known.has(image.id)).map(kept));
      this.next = page.next ?? null;
    } catch (error) {
      if (turn === this.turn) { this.next = null; say(error.message, true); }
    } finally {
      if (turn === this.turn) { this.isLoading = false; this.show(); }
    }
  }

  show() {
    const first = Math.max(0, Math.floor(this.body.scrollTop / HEIGHT) - MORE);
    const last = Math.min(this.rows.length, Math.ceil((this.body.scrollTop + this.body.clientHeight) / HEIGHT) + MORE);
    this.space.style.height = `${this.rows.length * HEIGHT}px`;
    this.grid.setAttribute("aria-rowcount", this.next ? -1 : this.rows.length + 1);
    const focused = this.body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    this.body.replaceChildren(this.space, ...this.rows.slice(first, last).map((image, n) => this.row(image, first + n)));
    if (focused) this.body.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    if (last + MORE >= this.rows.length) this.more();
  }

  row(image, number) {
    const name = make("a", { href: `#/image/${image.id}` }, image.name || image.id);
    const cells = [name, image.status, image.visibility, size(image.size), new Date(image.updated_at).toLocaleString()];
    const row = make("div", { className: "row", role: "row", "aria-rowindex": number + 2 }, ...cells.map((cell) => make("div", { role: "cell" }, cell)));
    row.style.top = `${number * HEIGHT}px`;
    return row;
  }

  hear(kind, data) {
    if (kind === "reset") return this.load();
    const place = this.rows.findIndex((row) => row.id === data.id);
    if (kind === "image.delete" || kind === "image.gone") {
      if (place >= 0) this.rows.splice(place, 1);
    } else if (kind === "image.create" || kind === "image.update") {
      if (place >= 0) Object.assign(this.rows[place], kept(data));
      else if (!this.isFiltered && !data.os_hidden && this.sort.join() === "updated_at,desc") this.rows.unshift(kept(data));
      else return;
    } else return;
    this.show();
  }

  async take(files) {
    for (const file of files) {
      try {
        const format = FORMATS[file.name.split(".").pop().toLowerCase()] ?? "raw";
        const image = await call("POST", "images", { name: file.name, disk_format: format, container_format: "bare" });
        await upload(image.id, file, (sent) => say(`${file.name}: ${size(sent)} of ${size(file.size)}`));
        say(`${file.name} is stored.`);
      } catch (error) {
        say(`${file.name}: ${error.message}`, true);
      }
    }
  }
}

function kept({ id, name, status, visibility, size: bytes, updated_at }) {
  return { id, name, status, visibility, size: bytes, updated_at };
}

customElements.define("image-list", ImageList);
