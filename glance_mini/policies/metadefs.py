"""Rules of metadata definitions. The target is the namespace, its owner as ``project_id``."""

from oslo_policy import policy

from glance_mini.policies.base import ADMIN, READER, SCOPES, rule

READ = f"{ADMIN} or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"
WRITE = "rule:metadef_admin"

TYPES = "/v2/metadefs/resource_types"
NAMESPACES = "/v2/metadefs/namespaces"
NAMESPACE = f"{NAMESPACES}/{{namespace_name}}"
ASSOCIATIONS = f"{NAMESPACE}/resource_types"
OBJECTS = f"{NAMESPACE}/objects"
OBJECT = f"{OBJECTS}/{{object_name}}"
PROPERTIES = f"{NAMESPACE}/properties"
PROPERTY = f"{PROPERTIES}/{{property_name}}"
TAGS = f"{NAMESPACE}/tags"
TAG = f"{TAGS}/{{tag_name}}"

RULES = (
    policy.RuleDefault("metadef_default", "", "Open to every caller; for custom rules.", scope_types=SCOPES),
    policy.RuleDefault(
        "metadef_admin",
        ADMIN,
        "Who may change metadata definitions. The rules of all changes refer to this one.",
        scope_types=SCOPES,
    ),
    rule(
        "get_metadef_namespace",
        READ,
        "Show a namespace. If it refuses, the namespace does not exist for the caller.",
        ("GET", NAMESPACE),
        ("GET", NAMESPACES),
    ),
    rule(
        "get_metadef_namespaces",
        READER,
        "List namespaces. The target is the caller's own project.",
        ("GET", NAMESPACES),
    ),
    rule("add_metadef_namespace", WRITE, "Create a namespace.", ("POST", NAMESPACES)),
    rule("modify_metadef_namespace", WRITE, "Change a namespace.", ("PUT", NAMESPACE)),
    rule(
        "delete_metadef_namespace",
        WRITE,
        "Delete a namespace, or all objects, properties or tags in it.",
        ("DELETE", NAMESPACE),
        ("DELETE", OBJECTS),
        ("DELETE", PROPERTIES),
        ("DELETE", TAGS),
    ),
    rule("get_metadef_object", READ, "Show an object of a namespace.", ("GET", OBJECT), ("GET", OBJECTS)),
    rule("get_metadef_objects", READ, "List the objects of a namespace.", ("GET", OBJECTS), ("GET", NAMESPACE)),
    rule(
        "add_metadef_object",
        WRITE,
        "Create an object in a namespace.",
        ("POST", OBJECTS),
        ("POST", NAMESPACES),
    ),
    rule("modify_metadef_object", WRITE, "Change an object of a namespace.", ("PUT", OBJECT)),
    rule("delete_metadef_object", WRITE, "Delete an object of a namespace.", ("DELETE", OBJECT)),
    rule(
        "list_metadef_resource_types",
        READ,
        "List resource types, all of them or those of a namespace.",
        ("GET", TYPES),
        ("GET", ASSOCIATIONS),
        ("GET", NAMESPACES),
        ("GET", NAMESPACE),
    ),
    rule(
        "get_metadef_resource_type",
        READ,
        "Show the association of a resource type with a namespace.",
        ("GET", ASSOCIATIONS),
        ("GET", PROPERTY),
    ),
    rule(
        "add_metadef_resource_type_association",
        WRITE,
        "Associate a resource type with a namespace.",
        ("POST", ASSOCIATIONS),
        ("POST", NAMESPACES),
    ),
    rule(
        "remove_metadef_resource_type_association",
        WRITE,
        "End the association of a resource type with a namespace.",
        ("DELETE", f"{ASSOCIATIONS}/{{resource_type}}"),
    ),
    rule("get_metadef_property", READ, "Show a property of a namespace.", ("GET", PROPERTY)),
    rule(
        "get_metadef_properties",
        READ,
        "List the properties of a namespace.",
        ("GET", PROPERTIES),
        ("GET", NAMESPACE),
    ),
    rule(
        "add_metadef_property",
        WRITE,
        "Create a property in a namespace.",
        ("POST", PROPERTIES),
        ("POST", NAMESPACES),
    ),
    rule("modify_metadef_property", WRITE, "Change a property of a namespace.", ("PUT", PROPERTY)),
    rule("remove_metadef_property", WRITE, "Delete a property of a namespace.", ("DELETE", PROPERTY)),
    rule("get_metadef_tag", READ, "Show a tag of a namespace.", ("GET", TAG)),
    rule("get_metadef_tags", READ, "List the tags of a namespace.", ("GET", TAGS), ("GET", NAMESPACE)),
    rule("add_metadef_tag", WRITE, "Create a tag in a namespace.", ("POST", TAG), ("POST", NAMESPACES)),
    rule("add_metadef_tags", WRITE, "Replace the tags of a namespace or add to them.", ("POST", TAGS)),
    rule("modify_metadef_tag", WRITE, "Rename a tag of a namespace.", ("PUT", TAG)),
    rule("delete_metadef_tag", WRITE, "Delete a tag of a namespace.", ("DELETE", TAG)),
    rule("delete_metadef_tags", WRITE, "Delete all tags of a namespace.", ("DELETE", TAGS)),
)
