// Changes names, limits, properties and tags of an image; definitions of metadata help.

import { patch, pointer } from "./api.js";
import { action, choice, field, form, make, refill, table } from "./elements.js";
import { definitions, help, namespaces, values } from "./metadefs.js";

const BASE = new Set([
  "id", "name", "status", "visibility", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "container_format",
  "disk_format", "min_disk", "min_ram", "owner", "protected", "os_hidden", "created_at", "updated_at", "tags", "self", "file",
  "schema", "direct_url", "locations", "stores",
]);
const VISIBILITIES = ["shared", "private", "community", "public"];

class ImageEdit extends HTMLElement {
  connectedCallback() {
    this.definitions = new Map();
    this.base = form("Name and limits", [
      field("Name", "name", { maxLength: 255 }), choice("Visibility", "visibility", VISIBILITIES),
      field("Disk at least, GiB", "min_disk", { type: "number", min: 0 }), field("Memory at least, MiB", "min_ram", { type: "number", min: 0 }),
    ], "Save", (given) => this.save(given));
    this.rows = make("div");
    this.property = this.propertyForm();
    this.tags = make("ul", { className: "tags" });
    const tag = form("Tag", [field("Tag", "tag", { required: true, maxLength: 255 })], "Add tag", (given, made) => this.addTag(given.tag, made));
    this.append(make("h3", {}, "Change"), this.base, make("h3", {}, "Properties"), this.rows, this.property, make("h3", {}, "Tags"), this.tags, tag);
  }

  update(image, reload) {
    const before = this.image;
    Object.assign(this, { image, reload });
    // What the user has changed in the form and not saved stays.
    for (const name of ["name", "visibility", "min_disk", "min_ram"]) {
      const input = this.base.elements[name];
      if (!before || input.value === String(before[name] ?? "")) input.value = String(image[name] ?? "");
    }
    const own = Object.entries(image).filter(([name]) => !BASE.has(name) && !name.startsWith("os_glance")).sort();
    refill(this.rows, table("Properties", ["Name", "Value", ""], own.map(([name, value]) => [name, value ?? "–", [
      action("Change", () => { this.take(name, value); return false; }, `Change ${name}`), " ",
      action("Remove", () => this.change({ op: "remove", path: pointer(name) }), `Remove ${name}`)]])));
    refill(this.tags, ...image.tags.map((tag) => make("li", {}, tag, " ", action("Remove", () => this.removeTag(tag), `Remove tag ${tag}`))));
  }

  async change(...changes) {
    await patch(this.image.id, ...changes);
    await this.reload();
  }

  async save(given) {
    const wanted = { ...given, min_disk: Number(given.min_disk), min_ram: Number(given.min_ram) };
    const changes = Object.entries(wanted).filter(([name, value]) => value !== (this.image[name] ?? ""));
    if (changes.length) await this.change(...changes.map(([name, value]) => ({ op: "replace", path: `/${name}`, value })));
  }

  propertyForm() {
    const names = make("datalist", { id: "property-names" });
    const known = make("datalist", { id: "property-values" });
    const hint = make("p", { id: "property-help", "aria-live": "polite" });
    const spaces = choice("Definitions", "namespace", [["", "none"]]);
    const made = form("Property", [
      spaces, field("Property", "name", { required: true, maxLength: 255, list: names.id, "aria-describedby": hint.id }),
      field("Value", "value", { list: known.id }), names, known,
    ], "Set property", async ({ name, value }) => {
      await this.change({ op: name in this.image ? "replace" : "add", path: pointer(name), value });
      this.take("", "");
    });
    made.append(hint);
    const select = spaces.lastChild;
    const tell = () => {
      const definition = this.definitions.get(made.elements.name.value);
      hint.textContent = definition ? help(definition) : "";
      known.replaceChildren(...(definition ? values(definition) : []).map((value) => make("option", { value })));
    };
    select.onfocus = async () => {
      select.onfocus = null;
      const found = await namespaces().catch(() => []);
      select.append(...found.map(([value, text]) => make("option", { value }, text)));
    };
    select.onchange = async () => {
      this.definitions = select.value ? await definitions(select.value).catch(() => new Map()) : new Map();
      names.replaceChildren(...[...this.definitions].map(([value, each]) => make("option", { value }, each.title ?? "")));
      tell();
    };
    made.elements.name.addEventListener("input", tell);
    return made;
  }

  take(name, value) {
    const { elements } = this.property;
    elements.name.value = name;
    elements.value.value = value ?? "";
    elements.name.dispatchEvent(new Event("input"));
    elements[name ? "value" : "name"].focus();
  }

  async addTag(tag, made) {
    await this.change({ op: "replace", path: "/tags", value: [...new Set([...this.image.tags, tag])] });
    made.reset();
  }

  async removeTag(tag) {
    await this.change({ op: "replace", path: "/tags", value: this.image.tags.filter((each) => each !== tag) });
  }
}

customElements.define("image-edit", ImageEdit);
