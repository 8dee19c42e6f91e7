// Calls of the Images API at the origin of this page. The token is in a header and in the storage of this tab only.

const KEY = "glance-mini-token";
const ROOT = new URL("../v2/", document.baseURI);
export const PATCH = "application/openstack-images-v2.1-json-patch";

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
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

async function message(answer) {
  try {
    return (await answer.json()).message;
  } catch {
    return answer.statusText || `The service answered ${answer.status}.`;
  }
}

export async function call(method, path, body, type = "application/json") {
  const more = body === undefined ? {} : { "Content-Type": type };
  const text = body === undefined ? undefined : JSON.stringify(body);
  const answer = await fetch(url(path), { method, headers: headers(more), body: text, cache: "no-store" });
  if (!answer.ok) throw new ApiError(answer.status, await message(answer));
  return answer.status === 204 ? null : answer.json();
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

// Send a file as the data of an image; `onProgress` gets the bytes that were sent.
export function upload(id, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url(`images/${id}/file`));
    request.setRequestHeader("X-Auth-Token", token.get() ?? "");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => (request.status === 204 ? resolve() : reject(new ApiError(request.status, request.statusText)));
    request.onerror = () => reject(new ApiError(0, "The service cannot be reached."));
    request.send(file);
  });
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
