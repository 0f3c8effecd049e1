"""A report is one page, and text cannot become markup."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from job_toolkit.pages import report
from job_toolkit.pages.report import Html

VOID = {"meta", "img"}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Reader(HTMLParser):
    """The texts of a page; it fails where elements are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=1, max_size=12)


@given(text)
def test_text_stays_text_wherever_it_goes(words: str) -> None:
    page = report.page(
        words,
        report.section(words, report.paragraph(words, words), report.tiles({words: words})),
        report.table([words], [words, [words], [report.bold(words)]]),
        report.side_by_side(words),
        report.figure(words, words),
        words,
        lead=words,
        footer=words,
    )
    read = Reader(page)
    assert read.texts.count(words) >= 14
    assert not {"script", "i"} & set(read.tags)
    assert report.escape(report.escape(words)) == report.escape(words)


def test_a_page_needs_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "precision_recall.png"
    path.write_bytes(PNG)
    page = report.page(
        "Evaluation", report.picture(path, "how it went"), Html("<p>1 &lt; 2</p>"), style="b {}"
    )
    (source,) = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == PNG
    assert '<img alt="precision recall"' in page
    assert "<figcaption>how it went</figcaption>" in page
    assert "<p>1 &lt; 2</p>" in page
    assert "b {}</style>" in page
    assert "<footer>" not in page
    assert not re.search(r"https?:|<script|url\(|@import", page)


def test_a_table_has_headings_across_it() -> None:
    found = report.table(["model", "auc"], ["baselines", ["mean", "0.5"]])
    assert '<tr class="heading"><td colspan="2">baselines</td></tr>' in found
    assert "<tr><td>mean</td><td>0.5</td></tr>" in found
