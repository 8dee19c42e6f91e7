// The stores of an image, copies to further ones, and addresses by which its data is downloaded for a while.

import { call } from "./api.js";
import { action, choice, copyButton, form, make, refill, table, time } from "./elements.js";

const TIMES = [["600", "10 minutes"], ["3600", "1 hour"], ["86400", "1 day"]];

let stores = null;

// The ids of all stores; none where only one is configured.
export async function storeIds() {
  stores ??= call("GET", "info/stores").then((found) => found.stores.filter((each) => !each["read-only"]).map((each) => each.id), () => []);
  return stores;
}

class ImageCopies extends HTMLElement {
  connectedCallback() {
    this.copies = make("div");
    this.copying = form("Copy to a store", [choice("Store", "store", [])], "Copy", ({ store }) =>
      call("POST", `images/${this.image.id}/import`, { method: { name: "copy-image" }, stores: [store] }));
    this.linking = form("Download", [choice("The address works for", "expires_in", TIMES)], "Make address", ({ expires_in: seconds }) => this.link(Number(seconds)));
    this.address = make("p");
    this.links = make("div");
    this.download = make("div", {}, make("h3", {}, "Download"), this.linking, this.address, this.links);
    this.append(this.copies, this.download);
  }

  update(image, reload) {
    const isOther = this.image?.status !== image.status;
    Object.assign(this, { image, reload });
    this.showStores();
    if (isOther) this.showLinks();
  }

  async showStores() {
    const known = await storeIds();
    if (!known.length) return;
    const own = (this.image.stores ?? "").split(",").filter(Boolean);
    const lacking = known.filter((store) => !own.includes(store));
    const select = this.copying.elements.store;
    const chosen = select.value;
    select.replaceChildren(...lacking.map((value) => make("option", { value }, value)));
    if (lacking.includes(chosen)) select.value = chosen;
    this.copying.hidden = !lacking.length || this.image.status !== "active";
    if (!this.copying.isConnected) this.copies.append(make("h3", {}, "Stores"), this.own = make("p"), this.copying);
    this.own.textContent = own.length ? `Its data is in ${own.join(", ")}.` : "No store has its data.";
  }

  async link(seconds) {
    const { url, expires_at: end } = await call("POST", `images/${this.image.id}/links`, { expires_in: seconds });
    this.address.replaceChildren(make("a", { href: url, download: "" }, "Download"), ` until ${time(end)} `, copyButton("address", url),
      " Whoever has the address can download. It is shown only now; a broken download can be continued.");
    await this.showLinks();
  }

  async showLinks() {
    this.download.hidden = this.image.status !== "active";
    const path = `images/${this.image.id}/links`;
    const links = this.download.hidden ? [] : await call("GET", path).then((found) => found.links, () => []);
    if (!links.length) return this.links.replaceChildren();
    refill(this.links, table("Addresses", ["Made by", "Ends", ""], links.map((each) => [each.user_id ?? "–", time(each.expires_at),
      [action("End", async () => { await call("DELETE", `${path}/${each.id}`); this.address.replaceChildren(); await this.showLinks(); }, `End address until ${time(each.expires_at)}`)]])));
  }
}

customElements.define("image-copies", ImageCopies);
