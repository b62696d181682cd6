"""A page that needs no network: light and dark, wide and narrow, readable aloud."""

import re
from collections.abc import Iterable, Sequence
from html import escape

NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?( %)?")

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #6b7480; --rule: #d7dce2;
  --line: #1f6feb; --other: #c2510c; --good: #1a7f37; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --paper: #14171b; --faint: #9aa4b0;
  --rule: #333a42; --line: #6ea8ff; --other: #f0a060; --good: #56c271; --bad: #ff8a7a; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { font-size: 1.25rem; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; } svg { width: 100%; height: auto; }
/* Where a table is wider than its room, a shadow lies on the side that hides columns. */
.scroll { overflow-x: auto; background-image: linear-gradient(to right, var(--paper), var(--paper)),
  linear-gradient(to right, var(--paper), var(--paper)), linear-gradient(to right, var(--rule), var(--paper)),
  linear-gradient(to left, var(--rule), var(--paper)); background-position: left, right, left, right;
  background-size: 20px 100%, 20px 100%, 12px 100%, 12px 100%; background-repeat: no-repeat;
  background-attachment: local, local, scroll, scroll; }
.about { color: var(--faint); font-size: .85rem; display: grid; grid-template-columns: auto 1fr; gap: 0 .75rem; }
.about dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 1rem 0; } caption { text-align: left; color: var(--faint); }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--rule); }
th.number, td.number { text-align: right; }
td { font-variant-numeric: tabular-nums; }
"""


def page(title: str, body: str, style: str = "") -> str:
    """Return a whole HTML document; `style` is CSS beyond what all pages share."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}{style}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str) -> str:
    """Return a table whose cells are escaped text; the first cell of a row is its heading.

    Columns of numbers stand on the right.
    """
    texts = [[str(cell) for cell in row] for row in rows]
    right = [
        ' class="number"' if place and texts and all(NUMBER.fullmatch(row[place]) for row in texts) else ""
        for place in range(len(head))
    ]
    heads = "".join(f'<th scope="col"{side}>{escape(cell)}</th>' for cell, side in zip(head, right, strict=True))
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{side}>{escape(cell)}</td>" for cell, side in zip(row[1:], right[1:], strict=True))
        + "</tr>\n"
        for row in texts
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}</tbody></table></div>"
    )
