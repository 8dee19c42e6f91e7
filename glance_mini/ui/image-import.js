// Makes an image from an address; the service fetches the data.

import { call } from "./api.js";
import { storeIds } from "./image-copies.js";
import { choice, field, form, make } from "./elements.js";
import { DISK_FORMATS } from "./image-list.js";

const CONTAINERS = ["bare", "ova", "ovf", "docker", "compressed", "ami", "ari", "aki"];

class ImageImport extends HTMLElement {
  async connectedCallback() {
    const stores = choice("Store", "store", [["", "default"]]);
    stores.hidden = true;
    this.append(make("h2", {}, "Import from an address"), form("Import", [
      field("Address", "uri", { type: "url", required: true, placeholder: "https://" }), field("Name", "name", { maxLength: 255 }),
      choice("Format", "disk_format", DISK_FORMATS), choice("Container", "container_format", CONTAINERS), stores,
    ], "Import", (given) => this.send(given)));
    const known = await storeIds();
    stores.hidden = !known.length;
    stores.lastChild.append(...known.map((value) => make("option", { value }, value)));
  }

  async send({ uri, name, store, ...formats }) {
    const image = await call("POST", "images", { name: name || new URL(uri).pathname.split("/").pop(), ...formats });
    try {
      await call("POST", `images/${image.id}/import`, { method: { name: "web-download", uri }, ...(store && { stores: [store] }) });
    } catch (error) {
      await call("DELETE", `images/${image.id}`);
      throw error;
    }
    location.hash = `#/image/${image.id}`;
    return false;
  }
}

customElements.define("image-import", ImageImport);
