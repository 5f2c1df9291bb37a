"""What the tests of the laboratory's page share."""

READY = "html[data-ready]"


def settled(page):
    """Wait until the page has its answers, and has painted them."""
    for _ in range(2):  # an answer may lead to another question
        page.evaluate(
            "() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 30))"
        )
        page.wait_for_selector("html:not([data-busy])", state="attached")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def lane_text(page, number):
    return page.locator(".lane").nth(number).inner_text()


def coordinates(page, number):
    """The numbers that a lane shows of where it is."""
    text = page.locator(".lane").nth(number).locator(".pick").inner_text()
    return [float(x) for x in text.strip("()").replace("−", "-").split(",")]
