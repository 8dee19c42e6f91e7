"""The web page in headless Chromium, against the running service (page).

Pictures of what was shown are kept in ``build/page``.
"""

import hashlib
import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import fixtures
import requests
from axe_selenium_python import Axe
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait
from testtools.content import text_content

from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.models import images
from glance_mini.testing.data_access.samples import NOW
from tests.functional.faults import make_state, show_log, use_for_class
from tests.functional.service import Service
from tests.integration.base import ServiceTestCase
from tests.unit.store.web import Page, WebServer

SECONDS = 20
ROWS = ".body .row"
SCRIPT = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
SHORT_SCRIPT = "<img src=x onerror=alert(1)>"
PICTURES = Path(__file__).parents[3] / "build" / "page"
DARK, LIGHT = "dark", "light"
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 4 * 1024**2}
MIB = 1024**2
DROP = """
const [place, name, text] = arguments;
const files = new DataTransfer();
files.items.add(new File([text], name));
document.querySelector(place).dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true }));
"""


class PageCase(ServiceTestCase):
    """One service and one browser for all tests of a class; each test begins without a log-in."""

    served = None

    def setUp(self):
        super().setUp()
        self.service("chromium")
        if self.served is None:
            self.start(type(self))
        show_log(self, self.served)
        self.addOnException(lambda _: self.picture(f"failed-{self.id().split('.')[-1]}"))
        self.browser.get(f"http://127.0.0.1:{self.served.port}/ui/")
        self.browser.execute_script("sessionStorage.clear(); localStorage.clear()")
        self.look(1200, 900, LIGHT)

    @classmethod
    def start(cls, case):
        """Start the service and the browser of the tests of ``case``."""
        case.root = Path(use_for_class(case, fixtures.TempDir()).path)
        case.state = make_state(case.root / "state", case.options(case.root))
        case.served = use_for_class(case, Service(case.state))
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        case.browser = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
        case.addClassCleanup(case.browser.quit)

    @classmethod
    def options(cls, root):
        """Return the options of the service by group and name; ``root`` is a directory for it."""
        return {}

    def begin(self, token=None, page=""):
        """Open a page and log in, as the administrator without a token."""
        self.browser.get(f"http://127.0.0.1:{self.served.port}/ui/{page}")
        self.browser.refresh()
        self.log_in(token or self.served.token)
        self.wait(lambda: not self.find("input[name=token]"))

    def log_in(self, token):
        """Log in by a token."""
        self.wait(lambda: self.find("input[name=token]"))
        field = self.find("input[name=token]")[0]
        field.clear()
        field.send_keys(token + Keys.ENTER)

    def look(self, width, height, scheme):
        """Set the size of the window in pixels, and the scheme of colours."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)

    def add_user(self, name, project, password):
        """Add a member of a project; they log in with a password."""
        manage = [sys.executable, "-m", "glance_mini.cmd.manage", "user", "add", name, "--project", project]
        words = ["--role", "member", "--state", str(self.state), "--password-stdin"]
        subprocess.run([*manage, *words], text=True, check=True, timeout=60, capture_output=True, input=password)

    def find(self, selector):
        """Return the elements that a selector finds."""
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """Return the text of the first such element, empty without one."""
        return "".join(each.text for each in self.find(selector)[:1])

    def names(self):
        """Return the names in the catalogue."""
        return [each.text for each in self.find(f"{ROWS} a")]

    def press(self, label):
        """Press the button with a label as soon as it is there; the whole label is what a screen reader says."""
        path = f"//button[(@aria-label='{label}' or (not(@aria-label) and text()='{label}')) and not(@disabled)]"
        self.wait(lambda: [each.click() or True for each in self.browser.find_elements(By.XPATH, path)[:1]])

    def fill(self, selector, text):
        """Write a text in a field."""
        self.wait(lambda: self.find(selector))
        field = self.find(selector)[0]
        field.clear()
        field.send_keys(text)

    def choose(self, selector, value):
        """Choose a value of a select as soon as it is there."""
        self.wait(lambda: self.find(f"{selector} option[value='{value}']"))
        Select(self.find(selector)[0]).select_by_value(value)

    def open(self, image):
        """Open the page of an image."""
        self.browser.execute_script("location.hash = arguments[0]", f"#/image/{image}")
        self.wait(lambda: image in self.text("dl"))

    def image(self, image):
        """Return what the service says of an image."""
        return self.served.request("GET", f"/v2/images/{image}").json()

    def wait(self, condition):
        """Wait until a condition holds; the page may replace an element at any time."""
        stale = [StaleElementReferenceException]
        WebDriverWait(self.browser, SECONDS, 0.05, stale).until(lambda _: condition())

    def follow(self, text):
        """Follow a link by the keyboard."""
        self.wait(lambda: self.browser.find_element(By.LINK_TEXT, text).send_keys(Keys.ENTER) is None)

    def picture(self, name):
        """Keep a picture of what is shown."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.browser.save_screenshot(str(PICTURES / f"{name}.png"))

    def assert_accessible(self, name):
        """Fail if axe finds a fault in what is shown, or if it is wider than the window; keep a picture."""
        self.picture(name)
        axe = Axe(self.browser)
        axe.inject()
        faults = [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in axe.run()["violations"]]
        self.assertEqual([], faults, name)
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        self.assertEqual(0, self.browser.execute_script(wide), name)

    def assert_accessible_everywhere(self, name):
        """Do that in a wide light window and in a narrow dark one."""
        self.assert_accessible(f"{name}-wide-light")
        self.look(360, 800, DARK)
        self.assert_accessible(f"{name}-narrow-dark")
        self.look(1200, 900, LIGHT)

    def assert_nothing_leaked(self):
        """Fail if the token stands in a log or an address, or if the browser has refused to load something."""
        token = self.served.token
        texts = [path.read_text() for path in Path(self.state).glob("*.log")]
        texts += [self.served.log.read_text(), self.browser.current_url, json.dumps(self.browser.get_log("browser"))]
        texts.append(self.browser.execute_script("return JSON.stringify(localStorage)"))
        self.assertEqual([], [text for text in texts if token in text])
        self.assertEqual([], [text for text in texts if "Content Security Policy" in text])


class TestPage(PageCase):
    web = None

    @classmethod
    def start(cls, case):
        case.web = use_for_class(case, WebServer())
        super().start(case)

    @classmethod
    def options(cls, root):
        """Return options with two stores, a recycle bin and imports from one server."""
        return {
            "DEFAULT": {"enabled_backends": "images:file,spare:file", "delayed_delete": "true"},
            "spare": {"filesystem_store_datadir": root / "spare"},
            "workers": {"poll_interval": 0.2},
            "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": cls.web.port},
        }

    def test_user_logs_in_and_follows_the_catalogue_and_one_image(self):
        self.browser.get(f"http://127.0.0.1:{self.served.port}/")
        self.assertTrue(self.browser.current_url.endswith("/ui/"))
        self.wait(lambda: self.find("input[name=user]"))
        self.assert_accessible_everywhere("log-in")
        self.log_in("wrong")
        self.wait(lambda: "does not know" in self.text("#state"))
        self.log_in(self.served.token)
        self.wait(lambda: self.find("image-list"))
        self.wait(lambda: self.find("#admin:not([hidden])"))
        image = self.served.create_image(name=SCRIPT, **{SCRIPT[:200]: SCRIPT, "tags": [SCRIPT[:200]]})
        self.wait(lambda: SCRIPT in self.names())
        self.assert_accessible_everywhere("catalogue")
        self.follow(SCRIPT)
        self.wait(lambda: SCRIPT in self.text("image-edit") and SCRIPT[:200] in self.text(".tags"))
        self.assert_accessible_everywhere("image")
        self.served.upload(image, b"data")
        self.wait(lambda: "active" in self.text("dl"))
        self.press("Protect")
        self.wait(lambda: self.image(image)["protected"])
        self.press("Do not protect")
        self.press("Hide")
        self.press("Do not hide")
        self.press("Deactivate")
        self.press("Reactivate")
        self.press("Delete")
        self.browser.switch_to.alert.accept()
        self.wait(lambda: self.find("image-list") and SCRIPT not in self.names())
        self.assertEqual(404, self.served.request("GET", f"/v2/images/{image}").status_code)
        self.find("a[href='#/deleted']")[0].click()
        self.wait(lambda: SCRIPT in self.text("deleted-images"))
        self.assert_accessible_everywhere("deleted")
        self.find("deleted-images td button")[0].click()
        self.wait(lambda: SCRIPT not in self.text("deleted-images"))
        self.assertEqual("active", self.image(image)["status"])
        self.served.request("DELETE", f"/v2/images/{image}")
        self.wait(lambda: SCRIPT in self.text("deleted-images"))
        self.find("deleted-images td button")[1].click()
        self.browser.switch_to.alert.accept()
        self.wait(lambda: SCRIPT not in self.text("deleted-images"))
        restored = self.served.request("POST", f"/v2/images/{image}/actions/restore")
        self.assertEqual(404, restored.status_code)
        self.assertEqual("Images", self.browser.title)
        self.assert_nothing_leaked()
        self.browser.find_element(By.ID, "leave").click()
        self.wait(lambda: self.find("input[name=token]"))
        self.browser.refresh()
        self.wait(lambda: self.find("input[name=token]"))

    def test_user_logs_in_with_a_password_and_the_token_ends_with_the_page(self):
        self.add_user("ann", "lab", "long pass word")
        self.browser.refresh()
        self.wait(lambda: self.find("input[name=user]"))
        for password in ("wrong", "long pass word"):
            self.fill("input[name=user]", "ann")
            self.fill("input[name=password]", password + Keys.ENTER)
            if password == "wrong":
                self.wait(lambda: "does not know" in self.text("#state"))
        self.wait(lambda: self.find("image-list"))
        token = self.browser.execute_script("return sessionStorage.getItem('glance-mini-token')")
        lost = {"X-Auth-Token": token}
        self.assertEqual(200, self.served.request("GET", "/v2/images", headers=lost).status_code)
        self.assertFalse(self.find("#admin:not([hidden])"))
        self.browser.find_element(By.ID, "leave").click()
        self.wait(lambda: self.find("input[name=user]"))
        self.wait(lambda: self.served.request("GET", "/v2/images", headers=lost).status_code == 401)

    def test_catalogue_is_searched_filtered_and_sorted(self):
        for number, name in enumerate(("Alpine find", "find debian", "fedora find")):
            formats = {"disk_format": "qcow2"} if number else {}
            self.served.create_image(name=name, tags=["found"] if number < 2 else [], **formats)
        self.begin()
        self.fill("input[name=name]", "FIND")
        self.wait(lambda: self.names() == ["fedora find", "find debian", "Alpine find"])
        self.press("Name")
        self.wait(lambda: self.names() == ["Alpine find", "fedora find", "find debian"])
        self.press("Name")
        self.wait(lambda: self.names() == ["find debian", "fedora find", "Alpine find"])
        self.find("summary")[0].click()
        self.choose("select[name=disk_format]", "qcow2")
        self.wait(lambda: self.names() == ["find debian", "fedora find"])
        self.fill("input[name=tag]", "found")
        self.wait(lambda: self.names() == ["find debian"])
        self.assert_accessible_everywhere("filters")
        self.choose("select[name=status]", "active")
        self.wait(lambda: "No image." in self.text(".body"))
        self.fill("input[name=tag]", "")
        self.choose("select[name=status]", "")
        self.choose("select[name=visibility]", "public")
        self.wait(lambda: not self.names())
        self.choose("select[name=visibility]", "")
        self.fill("input[name=owner]", "nobody")
        self.wait(lambda: not self.names())

    def test_image_is_edited_with_definitions_and_shared(self):
        definition = {"title": "Machine", "description": SHORT_SCRIPT, "type": "string", "enum": ["pc", "q35"]}
        space = {
            "namespace": "page::test", "display_name": "Page test", "visibility": "public",
            "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "hw_"}],
            "properties": {"machine": definition},
        }  # fmt: skip
        self.assertEqual(201, self.served.request("POST", "/v2/metadefs/namespaces", json=space).status_code)
        image = self.served.create_image(name="edited", visibility="private")
        self.begin(page=f"#/image/{image}")
        self.fill("image-edit input[name=name]", "edited again")
        self.wait(lambda: self.find("image-edit input[name=name]"))
        self.find("image-edit input[name=min_disk]")[0].send_keys("1")
        self.choose("image-edit select[name=visibility]", "shared")
        self.press("Save")
        self.wait(lambda: self.image(image)["name"] == "edited again")
        self.assertEqual((1, "shared"), tuple(self.image(image)[name] for name in ("min_disk", "visibility")))
        self.find("image-edit select[name=namespace]")[0].click()
        self.choose("image-edit select[name=namespace]", "page::test")
        self.wait(lambda: self.find("#property-names option[value=hw_machine]"))
        name = "form[aria-label=Property] input[name=name]"
        self.fill(name, "hw_machine")
        self.wait(lambda: SHORT_SCRIPT in self.text("#property-help"))
        self.assertEqual(2, len(self.find("#property-values option")))
        self.fill("input[name=value]", "q35")
        self.press("Set property")
        self.wait(lambda: self.image(image).get("hw_machine") == "q35")
        self.wait(lambda: "q35" in self.text("image-edit table"))
        self.press("Change hw_machine")
        self.fill("input[name=value]", "pc" + Keys.ENTER)
        self.wait(lambda: self.image(image).get("hw_machine") == "pc")
        self.fill(name, "a/b~c")
        self.fill("input[name=value]", SCRIPT + Keys.ENTER)
        self.wait(lambda: self.image(image).get("a/b~c") == SCRIPT)
        self.press("Remove a/b~c")
        self.wait(lambda: "a/b~c" not in self.image(image))
        for tag in ("one/two", SHORT_SCRIPT):
            self.fill("image-edit input[name=tag]", tag + Keys.ENTER)
            self.wait(lambda tag=tag: tag in self.text(".tags"))
        self.press("Remove tag one/two")
        self.wait(lambda: self.image(image)["tags"] == [SHORT_SCRIPT])
        self.fill("input[name=member]", "guests" + Keys.ENTER)
        self.wait(lambda: "guests" in self.text("image-sharing table"))
        self.assert_accessible_everywhere("edited")
        self.add_user("guest", "guests", "long pass word")
        self.browser.find_element(By.ID, "leave").click()
        self.fill("input[name=user]", "guest")
        self.fill("input[name=password]", "long pass word" + Keys.ENTER)
        self.browser.execute_script("location.hash = '#/'")
        self.wait(lambda: self.find("image-list"))
        self.assertNotIn("edited again", self.names())
        self.find("summary")[0].click()
        self.choose("select[name=member_status]", "pending")
        self.wait(lambda: "edited again" in self.names())
        self.follow("edited again")
        self.press("Accept guests")
        self.press("Reject guests")
        self.press("Accept guests")
        self.wait(lambda: "accepted" in self.text("image-sharing table"))
        self.assertFalse(self.find("image-sharing form:not([hidden])"))
        self.find("a[href='#/']")[0].click()
        self.wait(lambda: "edited again" in self.names())

    def test_files_are_uploaded_by_choice_and_by_drop_with_the_format_of_their_content(self):
        self.begin()
        files = {name: self.root / name for name in ("one.qcow2", "two.raw", "empty.raw")}
        files["one.qcow2"].write_bytes(b"no qcow2" * 1000)
        files["two.raw"].write_bytes(b"QFI\xfb and nothing else")
        files["empty.raw"].write_bytes(b"")
        self.find("input[type=file]")[0].send_keys("\n".join(map(str, files.values())))
        self.wait(lambda: len(self.find("upload-list .done")) == 2 and self.find("upload-list .failed"))
        found = {each["name"]: each for each in self.served.request("GET", "/v2/images").json()["images"]}
        self.assertEqual(("active", "raw"), tuple(found["one.qcow2"][name] for name in ("status", "disk_format")))
        self.assertEqual(("queued", "qcow2"), tuple(found["two.raw"][name] for name in ("status", "disk_format")))
        self.assertEqual(("active", 0), tuple(found["empty.raw"][name] for name in ("status", "size")))
        self.assertIn(found["one.qcow2"]["os_hash_value"], self.text("upload-list"))
        self.press("Delete image two.raw")
        self.wait(lambda: self.served.request("GET", f"/v2/images/{found['two.raw']['id']}").status_code == 404)
        name = SHORT_SCRIPT.replace("/", "")
        self.browser.execute_script(DROP, "image-list", name, "dropped")
        self.wait(lambda: len(self.find("upload-list .done")) == 3)
        self.assertIn(name, self.text("upload-list"))
        self.wait(lambda: name in self.names())
        self.assert_accessible_everywhere("uploads")
        for each in ("one.qcow2", "empty.raw", name):
            self.press(f"Clear {each}")
        self.wait(lambda: not self.find("upload-list:not([hidden])"))

    def test_upload_pauses_and_goes_on_also_after_the_page_was_closed(self):
        data = bytes(range(256)) * (24 * MIB // 256)
        file = self.root / "long.raw"
        file.write_bytes(data)
        self.begin()
        self.browser.execute_cdp_cmd("Network.enable", {})
        self.browser.execute_cdp_cmd("Network.emulateNetworkConditions", SLOW)
        self.addCleanup(self.fast)
        self.find("input[type=file]")[0].send_keys(str(file))
        self.wait(lambda: "left" in self.text("upload-list"))
        self.picture("upload")
        self.press("Pause long.raw")
        self.wait(lambda: "paused" in self.text("upload-list"))
        self.wait(lambda: self.offset() > 0)
        self.press("Resume long.raw")
        self.wait(lambda: "left" in self.text("upload-list"))
        self.browser.refresh()
        self.wait(lambda: "stopped at" in self.text("upload-list"))
        kept = self.kept_uploads()
        self.assertLess(0, self.offset())
        self.assertNotIn(self.served.token, kept)
        self.assert_accessible_everywhere("stopped")
        self.fast()
        self.find("input[type=file]")[0].send_keys(str(file))
        self.wait(lambda: self.find("upload-list .done"))
        image = self.image(json.loads(kept)[0]["image"])
        self.assertEqual((len(data), hashlib.sha512(data).hexdigest()), (image["size"], image["os_hash_value"]))
        self.assertEqual("[]", self.kept_uploads())
        self.assert_nothing_leaked()

    def kept_uploads(self):
        """Return the JSON that the browser keeps of the uploads."""
        return self.browser.execute_script("return localStorage.getItem('glance-mini-uploads')")

    def offset(self):
        """Return how many bytes the service has of the only upload."""
        (entry,) = json.loads(self.kept_uploads())
        path = f"/v2/images/{entry['image']}/upload/{entry['session']}"
        answer = self.served.request("HEAD", path, headers={"Tus-Resumable": "1.0.0"})
        return int(answer.headers["Upload-Offset"])

    def fast(self):
        """Let the network be as fast as it is."""
        self.browser.execute_cdp_cmd("Network.emulateNetworkConditions", {**SLOW, "uploadThroughput": -1})

    def test_image_is_imported_copied_and_downloaded_by_an_address(self):
        self.web.pages["/disk.raw"] = Page(b"imported" * 1000)
        self.begin(page="#/import")
        self.fill("input[name=uri]", "http://127.0.0.1:1/secret.raw" + Keys.ENTER)
        self.wait(lambda: "does not pass filtering" in self.text("#state"))
        found = self.served.request("GET", "/v2/images?name=secret.raw").json()["images"]
        self.assertEqual([], found)
        self.assert_accessible_everywhere("import")
        self.fill("input[name=uri]", self.web.url("/disk.raw"))
        self.choose("image-import select[name=disk_format]", "raw")
        self.choose("image-import select[name=store]", "images")
        self.press("Import")
        self.wait(lambda: "success" in self.text("image-tasks table"))
        self.wait(lambda: "Its data is in images." in self.text("image-copies"))
        self.press("Copy")
        self.wait(lambda: "Its data is in images, spare." in self.text("image-copies"))
        self.wait(lambda: self.text("image-tasks table").count("success") == 2)
        self.press("Make address")
        self.wait(lambda: self.find("image-copies a[download]"))
        address = self.find("image-copies a[download]")[0].get_attribute("href")
        part = requests.get(address, headers={"Range": "bytes=7992-"}, timeout=30)
        self.assertEqual((206, b"imported"), (part.status_code, part.content))
        self.assertEqual(b"imported" * 1000, requests.get(address, timeout=30).content)
        self.assert_accessible_everywhere("address")
        self.find("image-copies td button")[0].click()
        self.wait(lambda: requests.get(address, timeout=30).status_code == 404)

    def test_administrator_sees_the_service_and_steers_its_jobs(self):
        image = self.served.create_image(name="never")
        self.web.pages["/none.raw"] = Page(b"", status=404)
        method = {"method": {"name": "web-download", "uri": self.web.url("/none.raw")}}
        self.assertEqual(202, self.served.request("POST", f"/v2/images/{image}/import", json=method).status_code)
        self.begin(page="#/admin")
        self.wait(lambda: "failure" in self.text("admin-jobs table"))
        self.wait(lambda: "ok" in self.text("admin-stores table") and "free" in self.text("admin-stores table"))
        self.wait(lambda: "admin" in self.text("admin-usage table") and "admin" in self.text("admin-users table"))
        self.wait(lambda: "Nothing to warn about." in self.text("admin-configuration"))
        self.wait(lambda: self.text("live-figures figure").split()[-1] != "–")
        self.assert_accessible_everywhere("administration")
        self.find("admin-jobs td button")[0].click()
        self.wait(lambda: "done" in self.text("#state"))
        self.wait(lambda: len(self.served.request("GET", f"/v2/images/{image}/tasks").json()["tasks"]) == 1)


class TestBigCatalogue(PageCase):
    """A catalogue of 100,000 images."""

    def test_catalogue_of_100_000_images_is_quick_in_a_narrow_dark_window(self):
        engine = make_engine(f"sqlite:///{self.state}/glance-mini.db")
        self.addCleanup(engine.dispose)
        rows = [
            {"id": f"{n:036}", "name": f"image {n}", "status": "active", "owner": "admin", "visibility": "private"}
            | {"created_at": NOW + timedelta(seconds=n), "updated_at": NOW + timedelta(seconds=n)}
            | {"min_disk": 0, "min_ram": 0, "protected": False, "os_hidden": False, "deleted": False}
            for n in range(100_000)
        ]
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            for begin in range(0, len(rows), 10_000):
                connection.execute(images.insert(), rows[begin : begin + 10_000])
            connection.exec_driver_sql("COMMIT")
        self.look(360, 800, DARK)
        self.begin()
        self.browser.refresh()
        self.wait(lambda: self.find(ROWS))
        # Milliseconds from the begin of the load to the first rows; the bound is for a busy machine.
        shown = self.browser.execute_script("return performance.getEntriesByName('catalogue')[0].startTime")
        self.addDetail("shown", text_content(f"{shown:.0f} ms"))
        self.assertLess(shown, 5000)
        for _ in range(20):
            self.browser.execute_script("const b = document.querySelector('.body'); b.scrollTop = b.scrollHeight")
            time.sleep(0.1)
        self.wait(lambda: self.browser.execute_script("return document.querySelector('image-list').rows.length") > 1000)
        self.assertLess(len(self.find(ROWS)), 100)
        self.assert_accessible("big-narrow-dark")
        self.fill("input[name=name]", "IMAGE 777")
        self.wait(lambda: self.names()[:1] == ["image 77799"])
        # The rarest name is in the last of ten pages that are searched.
        self.fill("input[name=name]", "age 1234")
        self.wait(lambda: self.names()[-1:] == ["image 1234"])
        self.look(1600, 900, LIGHT)
        self.assert_accessible("big-wide-light")
