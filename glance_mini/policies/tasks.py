"""Rules of tasks, which show the jobs that outlive a request."""

from glance_mini.policies.base import ADMIN, rule

TASKS = "/v2/tasks"
TASK = "/v2/tasks/{task_id}"
EVERYBODY = "rule:default"
_INTERNAL = "No call uses it: it exists for policy files that name it."

RULES = (
    rule(
        "tasks_api_access",
        ADMIN,
        "Use the calls of tasks.",
        ("GET", TASKS),
        ("POST", TASKS),
        ("GET", TASK),
        ("DELETE", TASK),
    ),
    rule("cancel_task", ADMIN, "Cancel a task.", ("POST", f"{TASK}/actions/cancel")),
    rule("retry_task", ADMIN, "Begin a failed task again.", ("POST", f"{TASK}/actions/retry")),
    rule("get_task", EVERYBODY, f"Read a task. {_INTERNAL}", ("GET", TASK)),
    rule("get_tasks", EVERYBODY, f"List tasks. {_INTERNAL}", ("GET", TASKS)),
    rule("add_task", EVERYBODY, f"Create a task. {_INTERNAL}", ("POST", TASKS)),
    rule("modify_task", EVERYBODY, f"Change a task. {_INTERNAL}", ("DELETE", TASK)),
)
