"""Builds the site and looks at what came out: `python docs/build_site.py`. Needs the extra `docs`.

The builder fails on a broken link between pages. What it does not look at is checked here, in the HTML: that
every link and image inside the site exists, anchors included, that nothing is fetched from elsewhere, and that no
fence or directive was left as text.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"
_FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
_LEFT_AS_TEXT = re.compile(r"<p>(```|:::)[^<]{0,80}|<p>--8&lt;--[^<]{0,80}|class=\"mermaid\"")


class Page(HTMLParser):
    """The links, the fetched files and the anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag links to, fetches and names."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in _FETCHED and _FETCHED[tag] in given and given.get("rel") != "canonical":
            self.fetched.append(given[_FETCHED[tag]])


def main() -> int:
    """Build, look, and tell; 0 where nothing is wrong."""
    begun = time.monotonic()
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if built.returncode:
        # It colours what no terminal reads, and ends in a traceback that says nothing more.
        told = re.sub(r"\x1b\[[0-9;]*m", "", built.stdout).partition("Traceback")[0]
        sys.stdout.write(told)
        return built.returncode
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(SITE.rglob("*.html"))}
    wrong = [problem for path in pages for problem in _problems(path, pages)]
    sys.stdout.write("".join(f"{problem}\n" for problem in wrong))
    links = sum(len(page.links) + len(page.fetched) for page in pages.values())
    sys.stdout.write(f"{len(pages)} pages, {links} links, {len(wrong)} problems, {time.monotonic() - begun:.1f} s\n")
    return 1 if wrong or not pages else 0


def _problems(path: Path, pages: dict[Path, Page]) -> list[str]:
    where = path.relative_to(SITE)
    page = pages[path]
    wrong = [f"{where}: fetches {url}" for url in page.fetched if urlsplit(url).netloc]
    wrong += [f"{where}: left as text: {found[0]}" for found in _LEFT_AS_TEXT.finditer(path.read_text("utf-8"))]
    if where.name == "404.html":  # served at any address, so its links are absolute
        return wrong
    for url in [*page.links, *page.fetched]:
        if broken := _broken(url, path, pages):
            wrong.append(f"{where}: {url}: {broken}")
    return wrong


def _broken(url: str, path: Path, pages: dict[Path, Page]) -> str:
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(SITE) or not target.exists():
        return "there is no such file in the site"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors | {"__comments"}:
        return "there is no such anchor"
    return ""


if __name__ == "__main__":
    sys.exit(main())
