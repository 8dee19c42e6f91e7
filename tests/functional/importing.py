"""What the tests of imports with real processes share: how one is begun, and what is there when it has ended."""

from tests.functional.service import entries_below
from tests.http_server.running import eventually

OCTETS = {"Content-Type": "application/octet-stream"}
DIRECT = {"name": "glance-direct"}
ENDED = ("success", "failure")


def web(url):
    """Return the method that fetches ``url``."""
    return {"name": "web-download", "uri": url}


def stage(service, image, data):
    """Return the answer to the staging of ``data``."""
    return service.request("PUT", f"/v2/images/{image}/stage", data=data, headers=OCTETS)


def begin_import(service, image, method, **body):
    """Ask for an import, which must be accepted."""
    answer = service.request("POST", f"/v2/images/{image}/import", json={"method": method, **body})
    if answer.status_code != 202:
        raise AssertionError(f"{answer.status_code} {answer.text}")


def last_task(service, image):
    """Return the newest task of an image."""
    tasks = service.request("GET", f"/v2/images/{image}/tasks").json()["tasks"]
    return max(tasks, key=lambda task: task["created_at"])


def end_of_import(service, image):
    """Return the image and its newest task when that has ended."""
    eventually(lambda: last_task(service, image)["status"] in ENDED, "the import ended")
    return service.request("GET", f"/v2/images/{image}").json(), last_task(service, image)


def run_import(service, image, method, **body):
    """Return the image and its task after an import."""
    begin_import(service, image, method, **body)
    return end_of_import(service, image)


def await_worker(service):
    """Return when the worker inside a service is at work, which may be later than the first answer."""
    image = service.create_image()
    stage(service, image, b"first").raise_for_status()
    if run_import(service, image, DIRECT)[0]["status"] != "active":
        raise AssertionError(f"no import works: {service.log.read_text()}")
    service.request("DELETE", f"/v2/images/{image}").raise_for_status()


def entries(service, *names):
    """Return what is below those directories of the state directory, directories and unpublished files too."""
    return [path for name in names for paths in entries_below(service.state / name) for path in paths]
