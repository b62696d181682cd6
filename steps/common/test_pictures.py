"""Pages and pictures are whole documents that load nothing and can be read aloud."""

from xml.etree import ElementTree

from steps.common.html import page, table
from steps.common.svg import Plot, matrix

SVG = "{http://www.w3.org/2000/svg}"


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_a_plot_is_well_formed_and_says_what_it_shows():
    plot = Plot("A < B", "x & y", "y", "Says “it”.").reference(0, 1).line([0, 1], [0, 1], "key").points([0.5], [0.5])
    picture = parsed(plot.intervals([0.5], [0.25], [0.75]).svg())
    assert picture.get("role") == "img"
    assert picture.get("aria-label") == "A < B. Says “it”."
    assert {"A < B", "x & y", "key"} <= {text.text for text in picture.iter(f"{SVG}text")}


def test_points_lie_where_they_belong():
    picture = parsed(Plot("", "", "", "").points([0, 1], [0, 1]).line([0, 1], [0, 1]).svg())
    low, high = ((float(dot.get("cx")), float(dot.get("cy"))) for dot in picture.iter(f"{SVG}circle"))
    assert low[0] < high[0] and low[1] > high[1]
    axes = picture.find(f"{SVG}path").get("d")
    assert axes == f"M{low[0]:g} {high[1]:g}V{low[1]:g}H{high[0]:g}"
    assert picture.find(f"{SVG}polyline").get("points") == f"{low[0]},{low[1]} {high[0]},{high[1]}"


def test_a_matrix_tells_every_count():
    picture = parsed(matrix("Confusion", ["is a", "is b"], ["said a", "said b"], [[7, 1], [0, 0]]))
    assert picture.get("aria-label") == (
        "Confusion. is a, said a: 7. is a, said b: 1. is b, said a: 0. is b, said b: 0."
    )
    tints = [float(cell.get("fill-opacity")) for cell in picture.iter(f"{SVG}rect")]
    assert tints[0] > tints[1] > tints[2] == tints[3] == 0


def test_a_page_escapes_its_texts_and_loads_nothing():
    text = page("A & B", table(("name", "<i>"), [("a", "<script>")], "x > y"))
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert "<title>A &amp; B</title>" in text
    assert not any(loads in text for loads in ("http", "src=", "@import", "url("))


def test_keys_do_not_cover_what_is_drawn():
    plot = Plot("", "", "", "").line([0, 1], [0, 1], "registered", other=True).line([0, 1], [1, 0], "now")
    picture = parsed(plot.svg())
    (top,) = {line.get("points").split()[1].split(",")[1] for line in picture.findall(f"{SVG}polyline")[:1]}
    keys = [text for text in picture.iter(f"{SVG}text") if text.text in ("registered", "now")]
    assert len({key.get("x") for key in keys}) == 2
    assert all(float(key.get("y")) < float(top) for key in keys)


def test_numbers_stand_on_the_right_of_their_column():
    drawn = table(("name", "rows", "share", "text"), [("a", 1, "5.0 %", "1"), ("b", "-2,300", "1e-05", "?")], "x")
    assert '<th scope="col" class="number">rows</th>' in drawn and '<td class="number">-2,300</td>' in drawn
    assert '<td class="number">5.0 %</td>' in drawn and '<th scope="col">text</th>' in drawn and "<td>?</td>" in drawn


def test_a_table_that_is_too_wide_shows_it():
    assert "background-attachment: local, local, scroll, scroll" in page("", table(("a", "b"), [(1, 2)], ""))
