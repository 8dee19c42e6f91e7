"""The web page in headless Chromium, against the running service (page)."""

import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import fixtures
from axe_selenium_python import Axe
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from glance_mini.db.sqlalchemy.engine import make_engine
from glance_mini.db.sqlalchemy.models import images
from glance_mini.standalone.state import StateDirectory
from glance_mini.testing.data_access.samples import NOW
from tests.functional.service import Service
from tests.integration.base import ServiceTestCase

SECONDS = 20
ROWS = ".body .row"
SCRIPT = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"


class PageTest(ServiceTestCase):
    def setUp(self):
        super().setUp()
        self.service("chromium")
        self.root = Path(self.useFixture(fixtures.TempDir()).path)
        self.state = StateDirectory(self.root / "state")
        self.served = self.useFixture(Service(self.state.path))
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.browser = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
        self.addCleanup(self.browser.quit)

    def test_user_logs_in_and_follows_the_catalogue_and_one_image(self):
        self.browser.get(f"http://127.0.0.1:{self.served.port}/")
        self.assertTrue(self.browser.current_url.endswith("/ui/"))
        self.assert_accessible("log in")
        self.log_in("wrong")
        self.wait(lambda: "does not know" in self.text("#state"))
        self.log_in(self.served.token)
        self.wait(lambda: self.find("image-list"))
        image = self.served.create_image(name=SCRIPT, **{SCRIPT[:200]: SCRIPT, "tags": [SCRIPT[:200]]})
        self.wait(lambda: [row.text.startswith(SCRIPT) for row in self.find(ROWS)] == [True])
        self.assert_accessible("catalogue")
        self.wait(lambda: [each.send_keys(Keys.ENTER) or each for each in self.find(f"{ROWS} a")])
        self.wait(lambda: SCRIPT in self.text("dl"))
        self.assert_accessible("image")
        self.served.upload(image, b"data")
        self.wait(lambda: "active" in self.text("dl"))
        self.press("Protect")
        self.wait(lambda: self.served.request("GET", f"/v2/images/{image}").json()["protected"])
        self.press("Do not protect")
        self.press("Deactivate")
        self.press("Reactivate")
        self.press("Delete")
        self.browser.switch_to.alert.accept()
        self.wait(lambda: self.find("image-list") and not self.find(ROWS))
        self.assertEqual(404, self.served.request("GET", f"/v2/images/{image}").status_code)
        self.assertEqual("Images", self.browser.title)
        self.assert_nothing_leaked()
        self.browser.find_element(By.ID, "leave").click()
        self.wait(lambda: self.find("input[name=token]"))
        self.browser.refresh()
        self.wait(lambda: self.find("input[name=token]"))

    def test_user_logs_in_with_a_password_and_the_token_ends_with_the_page(self):
        manage = [sys.executable, "-m", "glance_mini.cmd.manage", "user", "add", "ann", "--project", "lab"]
        words = ["--role", "member", "--password-stdin", "--state", str(self.state.path)]
        subprocess.run(
            [*manage, *words], input="long pass word", text=True, check=True, timeout=60, capture_output=True
        )
        self.browser.get(f"http://127.0.0.1:{self.served.port}/ui/")
        self.wait(lambda: self.find("input[name=user]"))
        self.assert_accessible("log in")
        for password in ("wrong", "long pass word"):
            for name, text in (("user", "ann"), ("password", password)):
                field = self.find(f"input[name={name}]")[0]
                field.clear()
                field.send_keys(text)
            self.find("input[name=password]")[0].send_keys(Keys.ENTER)
            if password == "wrong":
                self.wait(lambda: "does not know" in self.text("#state"))
        self.wait(lambda: self.find("image-list"))
        token = self.browser.execute_script("return sessionStorage.getItem('glance-mini-token')")
        self.assertEqual(200, self.served.request("GET", "/v2/images", headers={"X-Auth-Token": token}).status_code)
        self.browser.find_element(By.ID, "leave").click()
        self.wait(lambda: self.find("input[name=user]"))
        lost = {"X-Auth-Token": token}
        self.wait(lambda: self.served.request("GET", "/v2/images", headers=lost).status_code == 401)

    def test_files_are_uploaded(self):
        self.begin()
        files = [self.root / name for name in ("one.qcow2", "two.raw")]
        for file in files:
            file.write_bytes(b"x" * 100_000)
        files[0].write_bytes(b"no qcow2")
        self.find("input[type=file]")[0].send_keys("\n".join(map(str, files)))
        self.wait(lambda: "two.raw is stored" in self.text("#state"))
        found = {each["name"]: each for each in self.served.request("GET", "/v2/images").json()["images"]}
        self.assertEqual(("active", 100_000), (found["two.raw"]["status"], found["two.raw"]["size"]))
        self.assertEqual(("qcow2", "queued"), (found["one.qcow2"]["disk_format"], found["one.qcow2"]["status"]))

    def test_catalogue_of_100_000_images_is_quick_in_a_narrow_dark_window(self):
        engine = make_engine(f"sqlite:///{self.state.path}/glance-mini.db")
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
        self.browser.set_window_size(360, 800)
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
        self.begin()
        began = time.monotonic()
        self.browser.refresh()
        self.wait(lambda: self.find(ROWS))
        self.assertLess(time.monotonic() - began, 5)
        for _ in range(20):
            self.browser.execute_script("const b = document.querySelector('.body'); b.scrollTop = b.scrollHeight")
            time.sleep(0.1)
        self.wait(lambda: self.browser.execute_script("return document.querySelector('image-list').rows.length") > 1000)
        self.assertLess(len(self.find(ROWS)), 100)
        self.assert_accessible("narrow and dark")

    def begin(self):
        """Open the page and log in."""
        self.browser.get(f"http://127.0.0.1:{self.served.port}/ui/")
        self.log_in(self.served.token)
        self.wait(lambda: self.find("image-list"))

    def log_in(self, token):
        """Log in by a token."""
        self.wait(lambda: self.find("input[name=token]"))
        field = self.find("input[name=token]")[0]
        field.clear()
        field.send_keys(token + Keys.ENTER)

    def find(self, selector):
        """Return the elements that a selector finds."""
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """Return the text of the first such element, empty without one."""
        return "".join(each.text for each in self.find(selector)[:1])

    def press(self, label):
        """Press the button with a label as soon as it is there."""
        path = f"//button[text()='{label}' and not(@disabled)]"
        self.wait(lambda: [each.click() for each in self.browser.find_elements(By.XPATH, path)])

    def wait(self, condition):
        """Wait until a condition holds; the page may replace an element at any time."""
        stale = [StaleElementReferenceException]
        WebDriverWait(self.browser, SECONDS, 0.1, stale).until(lambda _: condition())

    def assert_accessible(self, what):
        """Fail if axe finds a fault in what is shown."""
        axe = Axe(self.browser)
        axe.inject()
        faults = [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in axe.run()["violations"]]
        self.assertEqual([], faults, what)

    def assert_nothing_leaked(self):
        """Fail if the token stands in a log or an address, or if the browser has refused to load something."""
        token = self.served.token
        texts = [path.read_text() for path in self.state.path.glob("*.log")]
        texts += [self.served.log.read_text(), self.browser.current_url, json.dumps(self.browser.get_log("browser"))]
        self.assertEqual([], [text for text in texts if token in text])
        self.assertEqual([], [text for text in texts if "Content Security Policy" in text])
