// Calls of the Images API at the origin of this page. The token is in a header and in the storage of this tab only.

const KEY = "glance-mini-token";
const ROOT = new URL("../v2/", document.baseURI);
export const PATCH = "application/openstack-images-v2.1-json-patch";

export class ApiError extends Error {
  constructor(status, message, body = null) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  drop: () => sessionStorage.removeItem(KEY),
};

export function url(path) {
  return new URL(path.replace(/^\/v2\//, ""), ROOT);
}

function headers(more = {}) {
  return { Accept: "application/json", "X-Auth-Token": token.get() ?? "", ...more };
}

async function refusal(answer) {
  const body = await answer.json().catch(() => null);
  return new ApiError(answer.status, body?.message ?? (answer.statusText || `The service answered ${answer.status}.`), body);
}

// Send a request and return the answer; throws ApiError for a refusal.
export async function send(method, path, body, more = {}) {
  let answer;
  try {
    answer = await fetch(url(path), { method, headers: headers(more), body, cache: "no-store" });
  } catch {
    throw new ApiError(0, "The service cannot be reached.");
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

export async function call(method, path, body, type = "application/json") {
  const answer = await send(method, path, body === undefined ? undefined : JSON.stringify(body), body === undefined ? {} : { "Content-Type": type });
  return answer.status === 204 || answer.headers.get("Content-Length") === "0" ? null : answer.json();
}

// Change an image by the operations of a JSON patch.
export function patch(id, ...changes) {
  return call("PATCH", `images/${id}`, changes, PATCH);
}

// The name of a property as a path of a JSON patch.
export function pointer(name) {
  return `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

// The next page of a list that may be long, as far as `limit` pages.
export async function pages(path, key, limit = 10) {
  const found = [];
  for (let next = path; next && limit > 0; limit -= 1) {
    const page = await call("GET", next);
    found.push(...page[key]);
    next = page.next;
  }
  return found;
}

const IDENTITY = new URL("../v3/", document.baseURI);
const ISSUED = "glance-mini-issued";

// Whether users can log in with a password at the origin of this page.
export async function hasPasswords() {
  try {
    const answer = await fetch(IDENTITY, { headers: { Accept: "application/json" } });
    return answer.ok && (await answer.json()).version?.id?.startsWith("v3") === true;
  } catch {
    return false;
  }
}

// Get a token for a user and keep it; without a project the service chooses.
export async function logIn(name, password, project) {
  const domain = { id: "default" };
  const auth = { identity: { methods: ["password"], password: { user: { name, password, domain } } } };
  if (project) auth.scope = { project: { name: project, domain } };
  const answer = await fetch(new URL("auth/tokens", IDENTITY), {
    method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify({ auth }), cache: "no-store",
  });
  if (!answer.ok) throw new ApiError(answer.status, (await answer.json().catch(() => ({}))).error?.message ?? answer.statusText);
  token.set(answer.headers.get("X-Subject-Token"));
  sessionStorage.setItem(ISSUED, "yes");
}

// Forget the token, and end it if it was made for this page.
export function logOut() {
  const value = token.get();
  if (value && sessionStorage.getItem(ISSUED)) {
    const headers = { "X-Auth-Token": value, "X-Subject-Token": value };
    fetch(new URL("auth/tokens", IDENTITY), { method: "DELETE", headers, keepalive: true }).catch(() => {});
  }
  sessionStorage.removeItem(ISSUED);
  token.drop();
}

// Who the token is for, as far as the service says: `project`, which is null if it does not say, and `isAdmin`.
export const me = { project: null, isAdmin: false };

export async function meet() {
  me.project = (await identity("auth/tokens?nocatalog"))?.token.project?.id ?? null;
  me.isAdmin = await call("GET", "tasks?limit=1").then(() => true, () => false);
}

// What the log-in of this service says about the caller, or null if it has none or refuses.
export async function identity(path) {
  const value = token.get();
  const answer = await fetch(new URL(path, IDENTITY), { headers: { Accept: "application/json", "X-Auth-Token": value, "X-Subject-Token": value } }).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

// Send a part of a file to a resumable upload; `onProgress` gets the bytes sent. `signal` ends it.
export function sendPart(path, offset, part, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PATCH", url(path));
    request.setRequestHeader("X-Auth-Token", token.get() ?? "");
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", "application/offset+octet-stream");
    request.setRequestHeader("Tus-Resumable", "1.0.0");
    request.setRequestHeader("Upload-Offset", offset);
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => (request.status === 204 ? resolve() : reject(new ApiError(request.status, reason(request))));
    request.onerror = () => reject(new ApiError(0, "The service cannot be reached."));
    request.onabort = () => reject(new ApiError(0, "Paused."));
    signal.addEventListener("abort", () => request.abort());
    request.send(part);
  });
}

function reason(request) {
  try {
    return JSON.parse(request.responseText).message;
  } catch {
    return request.statusText || `The service answered ${request.status}.`;
  }
}

// Follow the events until `signal` ends it; `onEvent` gets kind and data. A broken stream begins again where it was.
export async function follow(onEvent, signal) {
  let last = null;
  while (!signal.aborted) {
    try {
      const known = last === null ? {} : { "Last-Event-ID": last };
      const answer = await fetch(url("events"), { headers: headers(known), signal, cache: "no-store" });
      if (answer.status === 401 || answer.status === 404 || answer.status === 403) return;
      if (answer.ok) last = await read(answer.body, onEvent, last);
    } catch (error) {
      if (signal.aborted) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
}

async function read(body, onEvent, last) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch {
      return last;
    }
    if (part.done) return last;
    const blocks = (text + part.value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 2)]));
      if (!fields.event) continue;
      last = fields.id;
      onEvent(fields.event, JSON.parse(fields.data));
    }
  }
}
