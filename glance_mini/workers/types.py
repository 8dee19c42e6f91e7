"""Loads the types of job, once, at start: everything that is installed under ``glance_mini.jobs``."""

from collections.abc import Mapping

from oslo_config import cfg

from glance_mini.db.job_interface import JobAccess
from glance_mini.layers.base import Services
from glance_mini.layers.stack import Stack
from glance_mini.plugins import PluginKind
from glance_mini.workers.base import NAMESPACE, JobType

JOB_TYPES = PluginKind("Job type", NAMESPACE, JobType, own_name="kind")


def load_job_types(conf: cfg.ConfigOpts, services: Services, stack: Stack, jobs: JobAccess) -> Mapping[str, JobType]:
    """Return the installed types of job by kind; raises ConfigurationError, also where there is none."""
    return JOB_TYPES.build(JOB_TYPES.load_all(), lambda kind: kind.from_config(conf, services, stack, jobs))
