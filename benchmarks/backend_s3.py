"""An S3 service against the transfer manager of boto3, both with parts of 10 MiB."""

import os
import uuid

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from benchmarks.backends import Backend
from glance_mini_store.drivers.s3 import S3Driver

_PART = 10 * 1024 * 1024


class S3Backend(Backend):
    """The service that the variables ``TEST_S3_...`` tell."""

    driver_class = S3Driver

    def __init__(self) -> None:
        self._address = os.environ["TEST_S3_URL"]
        self._keys = (os.environ["TEST_S3_ACCESS_KEY"], os.environ["TEST_S3_SECRET_KEY"])
        self._client = boto3.client(
            "s3",
            endpoint_url=self._address,
            region_name="us-east-1",
            aws_access_key_id=self._keys[0],
            aws_secret_access_key=self._keys[1],
            config=Config(max_pool_connections=100),
        )
        self._transfer = TransferConfig(multipart_chunksize=_PART)

    def prepare(self) -> str:
        place = f"benchmark-{uuid.uuid4().hex}"
        self._client.create_bucket(Bucket=place)
        return place

    def remove(self, place: str) -> None:
        for entry in self._client.list_objects_v2(Bucket=place).get("Contents", []):
            self._client.delete_object(Bucket=place, Key=entry["Key"])
        self._client.delete_bucket(Bucket=place)

    def options(self, place: str) -> dict[str, object]:
        return {
            "s3_store_host": self._address,
            "s3_store_bucket": place,
            "s3_store_access_key": self._keys[0],
            "s3_store_secret_key": self._keys[1],
        }

    def upload(self, place: str, path: str, name: str) -> None:
        self._client.upload_file(path, place, name, Config=self._transfer)

    def download(self, place: str, name: str, path: str) -> None:
        self._client.download_file(place, name, path, Config=self._transfer)
