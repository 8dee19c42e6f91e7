// What administrators look after: stores, jobs, projects, users, the configuration, and live figures.

import { ApiError, call, identity, pages, send } from "./api.js";
import { Live, action, make, refill, size, table, time } from "./elements.js";
import "./live-figures.js";

const BYTES = /_size_|_stage_/;

// A part of the page that reads something and shows it; `again` is a button for it.
class Section extends Live {
  begin() {
    this.place = make("div");
    this.append(make("h3", {}, this.heading, " ", action("Read again", () => this.load(), `Read ${this.heading.toLowerCase()} again`)), this.place);
    this.load();
  }

  async load() {
    try {
      refill(this.place, ...(await this.read()));
    } catch (error) {
      this.place.replaceChildren(make("p", { className: "bad" }, error.message));
    }
  }
}

class AdminStores extends Section {
  heading = "Stores and health";

  async read() {
    const [report, stores] = await Promise.all([health(), call("GET", "info/stores/detail").then((found) => found.stores, () => [])]);
    const details = new Map(stores.map((store) => [store.id, store]));
    const rows = Object.entries(report.parts).map(([name, part]) => {
      const { status, reason, free_bytes: free, ...figures } = part;
      const store = details.get(name.replace(/^store[ :./]/, ""));
      const more = Object.entries(figures).map(([key, value]) => `${key} ${value}`).join(", ");
      return [name, status, free === undefined ? "–" : `${size(free)} free`, [reason ?? more, store ? ` ${store.type}, weight ${store.weight}` : ""].join("").trim() || "–"];
    });
    return [make("p", {}, `Checked ${time(report.checked_at)}: ${report.status}.`), table("Stores and health", ["Part", "Status", "Room", "More"], rows)];
  }
}

async function health() {
  try {
    return await (await send("GET", "../healthcheck?detail")).json();
  } catch (error) {
    // A failing part is a 503, with the report as its body.
    if (error instanceof ApiError && error.body?.parts) return error.body;
    throw error;
  }
}

class AdminJobs extends Section {
  heading = "Jobs";

  async read() {
    const { tasks } = await call("GET", "tasks?limit=50");
    const rows = tasks.map((task) => [task.type, task.status, task.owner ?? "–", time(task.updated_at), this.buttons(task)]);
    return [table("Jobs", ["Job", "Status", "Project", "Changed", ""], rows)];
  }

  buttons({ id, type, status }) {
    const act = (label, what) => action(label, async () => { await call("POST", `tasks/${id}/actions/${what}`); await this.load(); }, `${label} ${type} ${id}`);
    if (status === "failure") return [act("Retry", "retry")];
    return status === "success" ? [] : [act("Cancel", "cancel")];
  }

  hear(kind) {
    if (kind === "task.progress" || !kind.startsWith("task.")) return;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.isConnected && this.load(), 300);
  }
}

class AdminUsage extends Section {
  heading = "Projects";

  async read() {
    const projects = await pages("info/usage/projects", "projects", 40);
    const kinds = Object.keys(projects[0]?.usage ?? {});
    const shown = ({ usage, limit }, kind) => `${BYTES.test(kind) ? size(usage * 2 ** 20) : usage}${limit < 0 ? "" : ` of ${BYTES.test(kind) ? size(limit * 2 ** 20) : limit}`}`;
    const rows = projects.map(({ project_id: name, usage }) => [name, ...kinds.map((kind) => shown(usage[kind], kind))]);
    return [table("Projects", ["Project", ...kinds.map((kind) => kind.replace(/^image_/, "").replaceAll("_", " "))], rows)];
  }
}

class AdminUsers extends Section {
  heading = "Users";

  async read() {
    const found = await identity("role_assignments?include_names");
    if (!found) return [make("p", {}, "This service has no users of its own.")];
    const rows = new Map();
    for (const { user, scope, role } of found.role_assignments) {
      const where = scope.project ? scope.project.name ?? scope.project.id : "all projects";
      const key = JSON.stringify([user.id, where]);
      rows.set(key, [user.name ?? user.id, where, [...(rows.get(key)?.[2].split(", ") ?? []), role.name ?? role.id].join(", ")]);
    }
    return [table("Users", ["User", "Project", "Roles"], [...rows.values()])];
  }
}

class AdminConfiguration extends Section {
  heading = "Configuration";

  async read() {
    const { warnings } = await call("GET", "info/configuration");
    return [warnings.length ? make("ul", {}, ...warnings.map((each) => make("li", {}, each))) : make("p", {}, "Nothing to warn about.")];
  }
}

const PARTS = [["admin-stores", AdminStores], ["admin-jobs", AdminJobs], ["admin-usage", AdminUsage], ["admin-users", AdminUsers], ["admin-configuration", AdminConfiguration]];
for (const [name, part] of PARTS) customElements.define(name, part);

class AdminPage extends HTMLElement {
  connectedCallback() {
    this.append(make("h2", {}, "Administration"), make("live-figures"), ...PARTS.map(([name]) => make(name)));
  }
}

customElements.define("admin-page", AdminPage);
