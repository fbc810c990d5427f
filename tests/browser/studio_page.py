"""What a person does and sees on the page, for the tests."""

import re
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Locator, Page, expect

AddModel = Callable[[Path, str], object]
"""The fixture `add_model`."""


def of_language(page: Page, language: str) -> None:
    """The tab becomes one of a browser in that language, as Playwright's `locale` makes a whole profile."""
    agent = page.evaluate("navigator.userAgent")
    link = page.context.new_cdp_session(page)
    link.send("Emulation.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": language})


def focused(control: Locator) -> Locator:
    """Give `control` the keyboard, once it is drawn: what is invisible takes no focus, and the key goes elsewhere."""
    expect(control).to_be_visible()
    control.focus()
    expect(control).to_be_focused()
    return control


def choose_photo(page: Page, photo: Path) -> None:
    page.set_input_files("#photo-file", photo)
    expect(page.locator(".photos figure img")).to_be_visible()


def choose_model(page: Page, name: str) -> None:
    """Open the choice of models and click the one of that name."""
    page.click("#f-model")
    page.locator(f"[id='model-{name}-name']").click()
    expect(page.locator("#f-model")).to_have_attribute("value", name)
    expect(page.locator("dialog.models")).to_have_count(0)


def set_steps(page: Page, steps: int) -> None:
    advanced = page.locator("details.advanced")
    if not advanced.evaluate("element => element.open"):
        advanced.locator("summary").click()
    page.locator("#f-steps").fill(str(steps))


def generate(page: Page, url: str, photo: Path, steps: int) -> str:
    """Open the page, choose the photo, press Generate; the job's id."""
    page.goto(url)
    choose_photo(page, photo)
    set_steps(page, steps)
    page.click("#generate")
    page.wait_for_url(re.compile(r"job="))
    expect(page.locator(".live")).to_be_visible()
    return page.url.split("job=")[1]


RECORD = """() => {
  const seen = { percent: [], previews: [] };
  const add = (list, value) => value !== null && list.at(-1) !== value && list.push(value);
  const look = () => {
    add(seen.percent, Number(document.querySelector(".live [role=progressbar]").getAttribute("aria-valuenow")));
    add(seen.previews, document.querySelector(".frame .preview").getAttribute("src"));
  };
  new MutationObserver(look).observe(document.getElementById("job"), { subtree: true, attributes: true });
  look();
  window.seen = seen;
}"""


def record(page: Page) -> None:
    """From now on keep every percentage and preview that the page shows; `seen` gives them."""
    page.evaluate(RECORD)


def seen(page: Page) -> dict[str, list]:
    return page.evaluate("window.seen")


def log_lines(page: Page) -> list[str]:
    """Also of a log that is folded, as a finished job's is."""
    return page.locator(".log .line > span").all_text_contents()


def percent(page: Page) -> int:
    return int(page.locator(".live [role=progressbar]").get_attribute("aria-valuenow") or 0)


def status(page: Page) -> str:
    return page.locator("#job").get_attribute("data-status") or ""


CURTAIN = """
  let hidden = false;
  Object.defineProperty(document, "hidden", { get: () => hidden });
  Object.defineProperty(document, "visibilityState", { get: () => (hidden ? "hidden" : "visible") });
  window.curtain = (yes) => { hidden = yes; document.dispatchEvent(new Event("visibilitychange")); };
  window.streams = [];
  const Plain = window.EventSource;
  window.EventSource = class extends Plain {
    constructor(address) { super(address); window.streams.push(this); }
  };
"""


def with_curtain(page: Page) -> None:
    """Playwright's tabs are all in front. From the next address on `hide` can say otherwise; streams are counted."""
    page.add_init_script(CURTAIN)


def hide(page: Page, yes: bool = True) -> None:
    page.evaluate("yes => window.curtain(yes)", yes)


def open_streams(*pages: Page) -> int:
    return sum(
        page.evaluate("window.streams.filter(s => s.readyState !== EventSource.CLOSED).length") for page in pages
    )


SHIFTS = """
  window.shifts = [];
  const name = (node) => (node.outerHTML ?? node.textContent).slice(0, 90);
  const ours = (node) => (node?.nodeType === Node.TEXT_NODE ? node.parentElement : node)?.closest?.("#studio");
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      const moved = sources.map((one) => one.node).filter(ours).map(name); // Gradio's frame moves while it loads
      if (moved.length) window.shifts.push([value, moved]);
    }
  }).observe({ type: "layout-shift", buffered: true });
"""


def with_shifts(page: Page) -> None:
    """From the next address on every jump of the layout is kept; `shifts` gives them."""
    page.add_init_script(SHIFTS)


def shifts(page: Page) -> list:
    """[how much, what has jumped] each, after the frames that are due are drawn."""
    page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    return page.evaluate("window.shifts")


FINDINGS = """async (enabled) => {
  const { violations } = await axe.run({ resultTypes: ["violations"], rules: { "color-contrast": { enabled } } });
  const shown = (nodes) => nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(", ");
  return violations.map(({ id, impact, help, nodes }) => `${id} (${impact}): ${help}: ${shown(nodes)}`);
}"""


def findings(page: Page, contrast: bool = True) -> list[str]:
    """What axe-core has to say against the page as it is shown now. contrast: four fifths of its time."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate(FINDINGS, contrast)
