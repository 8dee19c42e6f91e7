// The definitions of properties that the service has for images.

import { call, pages } from "./api.js";

const KIND = "OS::Glance::Image";

export async function namespaces() {
  const found = await pages(`metadefs/namespaces?limit=100&resource_types=${encodeURIComponent(KIND)}`, "namespaces");
  return found.map((each) => [each.namespace, each.display_name || each.namespace]);
}

// The definitions of a namespace by the full name of the property; those of its objects too.
export async function definitions(namespace) {
  const query = `resource_type=${encodeURIComponent(KIND)}`;
  const found = await call("GET", `metadefs/namespaces/${encodeURIComponent(namespace)}?${query}`);
  const parts = [found.properties ?? {}, ...(found.objects ?? []).map((each) => each.properties ?? {})];
  return new Map(parts.flatMap((each) => Object.entries(each)));
}

// What to tell about a definition.
export function help(definition) {
  const { title, description, type, minimum, maximum, pattern } = definition;
  const bounds = [minimum === undefined ? "" : `at least ${minimum}`, maximum === undefined ? "" : `at most ${maximum}`, pattern ? `like ${pattern}` : ""];
  return [title, description, [type, ...bounds].filter(Boolean).join(", ")].filter(Boolean).join(" – ");
}

export function values(definition) {
  if (definition.type === "boolean") return ["true", "false"];
  return (definition.enum ?? definition.items?.enum ?? []).map(String);
}
