"""Units, containers, manifests, rules and boards are what the programs that read them expect."""

import json
import os
import re

import yaml
from fixtures import TempDir

from glance_mini.metrics import Metrics
from tests.integration.packages.base import PACKAGING, ROOT, PackagingCase

PAGE = ROOT / "doc" / "source" / "operator" / "packages.rst"
METRIC = re.compile(r"\bglance_mini_[a-z_]+\b")


class TestUnits(PackagingCase):
    def test_exposure_of_each_unit_is_the_one_in_the_manual(self):
        for unit in sorted((PACKAGING / "systemd").glob("*.service")):
            printed = self.run_program("systemd-analyze", "security", "--offline=true", unit)
            [figure] = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", printed)
            self.assertIn(f"``{unit.name}`` | {figure}", PAGE.read_text())

    def test_user_is_made_by_sysusers(self):
        root = self.useFixture(TempDir()).path
        os.mkdir(f"{root}/etc")
        self.run_program("systemd-sysusers", f"--root={root}", PACKAGING / "systemd" / "sysusers.conf")
        with open(f"{root}/etc/passwd") as file:
            self.assertRegex(file.read(), r"(?m)^glance-mini:.*:/var/lib/glance-mini:/usr/sbin/nologin$")


class TestContainers(PackagingCase):
    def test_containerfile_has_no_fault(self):
        self.run_program(self.tools / "hadolint", PACKAGING / "container" / "Containerfile")

    def test_compose_files_are_understood(self):
        environment = {"PATH": "/usr/bin:/bin", "POSTGRES_PASSWORD": "a", "RABBITMQ_PASSWORD": "b"}
        for name in ("one-node.yaml", "two-nodes.yaml"):
            path = PACKAGING / "container" / name
            printed = self.run_program("docker-compose", "-f", path, "config", env=environment)
            self.assertNotIn("WARNING", printed)
        services = yaml.safe_load(printed)["services"]
        self.assertEqual({"api1", "api2", "worker1", "worker2"}, {name for name in services if name[-1] in "12"})

    def test_passwords_of_the_compose_file_must_be_given(self):
        path = PACKAGING / "container" / "two-nodes.yaml"
        error = self.assertRaises(AssertionError, self.run_program, "docker-compose", "-f", path, "config")
        self.assertIn("POSTGRES_PASSWORD", str(error))

    def test_proxy_of_the_compose_file_is_a_configuration(self):
        self.run_program("/usr/sbin/haproxy", "-c", "-f", PACKAGING / "container" / "haproxy.cfg")

    def test_manifest_fits_the_schemas_of_kubernetes_and_has_probes(self):
        path = PACKAGING / "kubernetes" / "glance-mini.yaml"
        self.run_program(self.tools / "kubernetes-validate", "--strict", path)
        parts = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(path.read_text())}
        pod = parts["Deployment", "glance-mini-api"]["spec"]["template"]["spec"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertEqual("/healthcheck", pod["containers"][0][probe]["httpGet"]["path"])
        settings = parts["ConfigMap", "glance-mini"]["data"]["glance-mini.conf"]
        [graceful] = re.findall(r"graceful_timeout = (\d+)", settings)
        self.assertLess(int(graceful), pod["terminationGracePeriodSeconds"])


class TestMonitoring(PackagingCase):
    def test_alerts_are_raised_when_they_should_be(self):
        directory = PACKAGING / "monitoring"
        self.run_program("promtool", "check", "rules", "alerts.yaml", cwd=directory)
        self.run_program("promtool", "test", "rules", "alerts-test.yaml", cwd=directory)

    def test_expressions_of_the_board_are_understood(self):
        expressions = [target["expr"] for panel in self.board()["panels"] for target in panel["targets"]]
        known = [each.replace("$__rate_interval", "5m").replace("$instance", ".*") for each in expressions]
        rules = [{"record": f"r{number}", "expr": each} for number, each in enumerate(known)]
        path = f"{self.useFixture(TempDir()).path}/rules.yaml"
        with open(path, "w") as file:
            yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}, file)
        self.assertIn(f"{len(rules)} rules found", self.run_program("promtool", "check", "rules", path))

    def test_every_metric_that_is_asked_for_exists(self):
        known = set()
        for family in Metrics()._registry.collect():
            counted = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
            known |= {family.name + suffix for suffix in counted}
        text = json.dumps(self.board()) + (PACKAGING / "monitoring" / "alerts.yaml").read_text()
        self.assertEqual(set(), set(METRIC.findall(text)) - known)

    def board(self):
        return json.loads((PACKAGING / "monitoring" / "grafana.json").read_text())
