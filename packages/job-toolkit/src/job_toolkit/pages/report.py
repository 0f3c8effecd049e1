"""The frame of an HTML report: one page that needs no other file.

Text is escaped wherever it goes in; `Html` is text that is markup already. So a report is built of these
functions and of `Html(f"<p>{escape(text)}</p>")`.
"""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #37352f }
body { max-width: 1040px; margin: 2.5rem auto; padding: 0 1.2rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem }
p.lead, footer { color: #787774 } p.lead { margin-top: 0 } footer { font-size: .85rem; margin-top: 3rem }
.tiles { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1.4rem 0 }
.tile { background: #f7f6f3; border-radius: 8px; padding: .8rem 1.2rem; min-width: 8rem }
.tile b { display: block; font-size: 1.6rem } .tile span { color: #787774; font-size: .85rem }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .4rem .6rem; border-bottom: 1px solid #e9e9e7; vertical-align: bottom }
th { color: #787774; font-weight: 600; font-size: .85rem } td:first-child, th:first-child { text-align: left }
td b { color: #0b6e99 } tr.heading td { color: #787774; font-size: .85rem; padding-top: .9rem }
img, svg { max-width: 100% } svg { height: auto }
.row { display: flex; flex-wrap: wrap; gap: 0 1.4rem } .row > * { flex: 1 1 420px; max-width: 100% }
figure { margin: 1rem 0; max-width: 760px } figcaption { color: #787774; font-size: .85rem }
"""


# Where `retrain` says which execution the page is of, once that has ended: a job cannot know it.
RUN = "<!-- run -->"


class Html(str):
    """Markup, which is not escaped again."""


def escape(text: str) -> Html:
    """Text as markup; Html stays as it is."""
    return text if isinstance(text, Html) else Html(html.escape(text))


def page(title: str, *sections: str, lead: str = "", footer: str = "", style: str = "") -> str:
    """The whole page: a heading, a first sentence in grey, sections, a footer; `style` is CSS to add.

    After the first sentence, execution, commit, data and parameters are added when the execution has ended.
    """
    first = f'<p class="lead">{escape(lead)}</p>\n' if lead else ""
    last = f"<footer>{escape(footer)}</footer>\n" if footer else ""
    body = "".join(f"{escape(part)}\n" for part in sections if part)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<style>{STYLE}{style}</style></head><body>
<h1>{escape(title)}</h1>
{first}{RUN}
{body}{last}</body></html>
"""


def section(title: str, *parts: str) -> Html:
    """A heading with what is below it."""
    return Html(f"<h2>{escape(title)}</h2>" + "".join(map(escape, parts)))


def paragraph(text: str, kind: str = "") -> Html:
    """A paragraph; `kind` is its CSS class."""
    attribute = f' class="{html.escape(kind)}"' if kind else ""
    return Html(f"<p{attribute}>{escape(text)}</p>")


def tiles(values: Mapping[str, str]) -> Html:
    """Large figures, each over its label."""
    shown = (
        f'<div class="tile"><b>{escape(text)}</b><span>{escape(label)}</span></div>'
        for label, text in values.items()
    )
    return Html(f'<div class="tiles">{"".join(shown)}</div>')


def table(head: Sequence[str], rows: Iterable[Sequence[str] | str]) -> Html:
    """A table; a row that is a single text is a heading across it. Bold cells are coloured."""
    lines = []
    for row in rows:
        if isinstance(row, str):
            lines.append(f'<tr class="heading"><td colspan="{len(head)}">{escape(row)}</td></tr>')
        else:
            lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>")
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    return Html(f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>")


def bold(text: str) -> Html:
    """Text that stands out, such as the best value of a column."""
    return Html(f"<b>{escape(text)}</b>")


def side_by_side(*parts: str) -> Html:
    """Parts next to each other where the page is wide enough."""
    return Html(f'<div class="row">{"".join(f"<div>{escape(part)}</div>" for part in parts)}</div>')


def picture(path: Path, caption: str = "") -> Html:
    """A PNG file, embedded."""
    data = base64.b64encode(path.read_bytes()).decode()
    title = html.escape(path.stem.replace("_", " "))
    return figure(Html(f'<img alt="{title}" src="data:image/png;base64,{data}">'), caption)


def figure(content: str, caption: str = "") -> Html:
    """A picture, such as an SVG, with its caption."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return Html(f"<figure>{escape(content)}{below}</figure>")
