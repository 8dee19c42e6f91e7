// The tasks of an image, those that run and those that ran.

import { pages } from "./api.js";
import { Live, make, refill, table, time } from "./elements.js";

class ImageTasks extends Live {
  begin() {
    this.tasks = [];
    this.append(make("h3", {}, "Tasks"), this.rows = make("div"));
  }

  update(image) {
    if (this.id_ === image.id) return;
    this.id_ = image.id;
    this.load();
  }

  async load() {
    const found = await pages(`images/${this.id_}/tasks`, "tasks").catch(() => []);
    const known = new Set(found.map((task) => task.id));
    this.tasks = [...found, ...this.tasks.filter((task) => !known.has(task.id))];
    this.show();
  }

  show() {
    const rows = this.tasks.toReversed().map((task) => [task.type, task.status, [progress(task)], time(task.updated_at)]);
    refill(this.rows, table("Tasks", ["Task", "Status", "Progress", "Changed"], rows));
  }

  hear(kind, data) {
    if (kind === "reset" && this.id_) this.load();
    if (!kind.startsWith("task.") || data.image_id !== this.id_) return;
    const place = this.tasks.findIndex((task) => task.id === data.id);
    if (place < 0) this.tasks.push(data);
    else this.tasks[place] = { ...this.tasks[place], ...data };
    this.show();
  }
}

function progress({ status, message, type }) {
  const far = /(\d+)\s*%/.exec(message ?? "");
  if (status !== "processing" || !far) return message || "–";
  return make("span", {}, make("progress", { max: 100, value: Number(far[1]), "aria-label": `Progress of ${type}` }), ` ${message}`);
}

customElements.define("image-tasks", ImageTasks);
