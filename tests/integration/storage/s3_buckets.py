"""Buckets of real S3 services, each for one test, and drivers for them."""

import uuid
from types import SimpleNamespace

import boto3
from botocore.config import Config

from glance_mini_store.drivers.s3 import S3Driver
from tests.integration.base import ServiceTestCase

MIB = 1024 * 1024


def client_for(variables):
    """Return a client of boto3 for the service that has these variables."""
    return boto3.client(
        "s3",
        endpoint_url=variables["TEST_S3_URL"],
        aws_access_key_id=variables["TEST_S3_ACCESS_KEY"],
        aws_secret_access_key=variables["TEST_S3_SECRET_KEY"],
        region_name=variables["TEST_S3_REGION"],
        config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
    )


def options_for(variables, bucket, **changed):
    """Return the options of a store on ``bucket``; ``changed`` replaces some, or adds others."""
    return {
        "s3_store_host": variables["TEST_S3_URL"],
        "s3_store_access_key": variables["TEST_S3_ACCESS_KEY"],
        "s3_store_secret_key": variables["TEST_S3_SECRET_KEY"],
        "s3_store_region_name": variables["TEST_S3_REGION"],
        "s3_store_bucket": bucket,
        **changed,
    }


def driver_with(**options):
    """Return a driver with these options, and the defaults of the others."""
    defaults = {option.dest: option.default for option in S3Driver.options}
    return S3Driver.from_config(SimpleNamespace(**{**defaults, **options}), "s3")


def uploads_in(client, bucket):
    """Return the keys of unfinished uploads."""
    return sorted(upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def keys_in(client, bucket):
    """Return the keys of objects, at most 1,000."""
    return sorted(entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", []))


def new_bucket_name():
    """Return a name that no bucket has."""
    return f"glance-mini-{uuid.uuid4().hex}"


def remove_bucket(client, bucket):
    """Remove a bucket with all that is in it; no error if there is none."""
    try:
        for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        while keys := keys_in(client, bucket):
            for key in keys:
                client.delete_object(Bucket=bucket, Key=key)
        client.delete_bucket(Bucket=bucket)
    except client.exceptions.NoSuchBucket:
        return


class S3TestCase(ServiceTestCase):
    """A test with a bucket of its own in the service ``service_name``."""

    service_name = "radosgw"

    def setUp(self):
        self.variables = self.service(self.service_name)
        self.client = client_for(self.variables)
        self.addCleanup(self.client.close)
        self.bucket = new_bucket_name()
        self.client.create_bucket(Bucket=self.bucket)
        self.addCleanup(remove_bucket, self.client, self.bucket)
        super().setUp()

    def driver_for(self, **options):
        """Return a driver for the bucket, with the options that are named."""
        driver = driver_with(**options_for(self.variables, self.bucket, **options))
        self.addCleanup(driver.close)
        return driver

    def left_in_bucket(self):
        """Return all that is in the bucket, readable or not."""
        objects = [f"object {key}" for key in keys_in(self.client, self.bucket)]
        return objects + [f"upload {key}" for key in uploads_in(self.client, self.bucket)]
