"""Addresses of objects of s3 for others, and objects that users may name."""

from urllib.parse import parse_qs, urlsplit

import testtools

from glance_mini_store import errors
from glance_mini_store.caller import Caller
from glance_mini_store.drivers.s3 import S3Driver
from glance_mini_store.drivers.s3.endpoint import Endpoint
from glance_mini_store.drivers.s3.user_objects import UserObjects
from tests.unit.store.s3.options import SECRET, settings


class PresignedUrlTest(testtools.TestCase):
    def url(self, location, **changed):
        driver = S3Driver.from_config(settings(**changed), "s3")
        self.addCleanup(driver.close)
        return driver.presigned_url(location, 60)

    def test_url_is_for_one_object_and_a_time_and_holds_no_secret_key(self):
        url = urlsplit(self.url("s3+https://s3.example.com/images/x"))
        self.assertEqual("https://s3.example.com/images/x", f"{url.scheme}://{url.netloc}{url.path}")
        query = parse_qs(url.query)
        self.assertEqual(["60"], query["X-Amz-Expires"])
        self.assertEqual(["host"], query["X-Amz-SignedHeaders"])
        self.assertNotIn(SECRET, url.query)

    def test_clients_are_sent_to_the_address_for_them(self):
        url = self.url("s3+https://s3.example.com/images/x", s3_store_public_host="http://outside.example.com:8080")
        self.assertTrue(url.startswith("http://outside.example.com:8080/images/x?"), url)

    def test_address_for_clients_that_is_none_is_refused(self):
        for host in ("ftp://h", "https://u:p@h"):
            refused = settings(s3_store_public_host=host)
            error = self.assertRaises(errors.BadStoreConfiguration, S3Driver.from_config, refused, "s3")
            self.assertIn("s3_store_public_host", str(error))

    def test_only_objects_of_the_own_bucket_have_a_url(self):
        for location in (
            "s3+https://s3.example.com/other/x",
            "s3+https://key:secret@s3.example.com/other/x",
            "s3+https://key:secret@elsewhere.example.com/images/x",
        ):
            self.assertIsNone(self.url(location))


class UserObjectsTest(testtools.TestCase):
    def objects(self, template="stash/$(project_id)s/", host="https://s3.example.com"):
        return UserObjects.from_option(Endpoint.from_option(host), template, "images")

    def test_each_project_has_a_place_of_its_own(self):
        for template, place in (
            ("stash/$(project_id)s/", "stash/p1/"),
            ("stash/of/$(project_id)s/images", "stash/of/p1/images"),
            ("images-$(project_id)s/", "images-p1/"),
        ):
            self.assertEqual(place, self.objects(template).of_project("p1"))

    def test_project_that_could_lead_elsewhere_has_none(self):
        for project_id in (None, "", "..", ".", "a/b", "../other", "p 1", "$(project_id)s"):
            self.assertIsNone(self.objects().of_project(project_id))

    def test_object_is_found_in_its_bucket(self):
        objects = self.objects()
        for scheme in ("s3", "s3+https"):
            found = objects.find(f"{scheme}://s3.example.com/stash/p1/a/b.qcow2")
            self.assertEqual(("stash", "p1/a/b.qcow2"), found)
        for location in (
            "s3+http://s3.example.com/stash/p1/x",
            "s3://other.example.com/stash/p1/x",
            "s3://s3.example.com/other/p1/x",
            "s3://key:secret@s3.example.com/stash/p1/x",
            "s3://s3.example.com/stash/p1/../p2/x",
            "s3://s3.example.com/stash/p1//x",
            "s3://s3.example.com/stash/p1/",
        ):
            self.assertIsNone(objects.find(location), location)

    def test_template_that_gives_no_place_to_each_project_is_refused(self):
        for template in (
            "stash/",
            "$(project_id)s",
            "stash/$(project_id)s",
            "stash/$(project_id)s-x/",
            "$(project_id)s/",
            "stash/$(project_id)s/$(project_id)s/",
            "stash/../$(project_id)s/",
            "images/$(project_id)s/",
        ):
            error = self.assertRaises(errors.BadStoreConfiguration, self.objects, template)
            self.assertIn("s3_store_user_locations", str(error))

    def test_objects_of_users_have_no_url_and_are_not_deleted(self):
        driver = S3Driver.from_config(settings(s3_store_user_locations="stash/$(project_id)s/"), "s3")
        self.addCleanup(driver.close)
        location = "s3+https://s3.example.com/stash/p1/x"
        self.assertTrue(location.startswith(driver.prefixes))
        self.assertIsNone(driver.presigned_url(location, 60))
        self.assertRaises(errors.StoreDeleteNotSupported, driver.delete, location)

    def test_users_name_objects_of_their_project_only(self):
        driver = S3Driver.from_config(settings(s3_store_user_locations="stash/$(project_id)s/"), "s3")
        self.addCleanup(driver.close)
        for project in ("p2", "p", None):
            theirs = driver.for_caller(Caller(project))
            self.assertRaises(errors.Invalid, theirs.user_data, "s3+https://s3.example.com/stash/p1/x")
            self.assertIsNone(theirs.user_data("s3+https://s3.example.com/images/x"))
