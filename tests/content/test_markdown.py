"""Markdown as HTML and as text, and values that cannot become Markdown."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drip.content.markdown import Document, escaped, one_line

NASTY = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="*_`[]()<>#-+.!&|~:/\\{}%\"'=1 \n\t\u2028abc@", max_size=40),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "[x](http://example.com)",
            "![x](http://example.com/a.png)",
            "<http://example.com>",
            "# Ana",
            "Ana\n\n# Heading",
            "1. Ana",
            "- Ana",
            "> Ana",
            "    Ana",
            "```\nAna",
            "&lt;b&gt;",
            "{{ clinic.phone }}",
            "{% for x in y %}",
            "[ref]: http://example.com",
            "Ana\\",
            "---",
            "山田太郎",
            "محمد",
            "Zoë Nuñez-O’Brien",
            "\u202eevil",
            "\ud800",
        ]
    ),
)


@given(NASTY)
@example("Ana\r\nBcc: x@example.com")
def test_a_value_is_one_line_without_control_or_direction_marks(value: str) -> None:
    line = one_line(value)
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
    assert not re.search(
        "[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]", line
    )
    assert one_line(line) == line


@given(NASTY)
@example("http://example.com")
def test_a_value_in_markdown_reads_as_itself_and_adds_nothing(value: str) -> None:
    line = one_line(value)
    for around in ("{}", "Hi {},", "- {}", "## {}", "**{}**,", "> {} and {}"):
        document = Document(around.replace("{}", escaped(value)))
        tags = re.findall(r"<[^>]*>", document.html())
        plain = Document(around.replace("{}", "x")).html()
        assert set(tags) <= set(re.findall(r"<[^>]*>", plain))
        if line:
            assert line in document.text()


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("One\ntwo\n\nthree", "One two\n\nthree\n"),
        ("## Why\n\nBecause.", "Why\n\nBecause.\n"),
        ("- one\n- two\n\nEnd.", "- one\n- two\n\nEnd.\n"),
        ("3. one\n4. two", "3. one\n4. two\n"),
        ("- one\n  - in\n  - it\n- two", "- one\n  - in\n  - it\n- two\n"),
        ("- one\n\n  more\n- two", "- one\n  more\n- two\n"),
        ("**Bold** and *soft* and `code`", "Bold and soft and code\n"),
        ("[Map](https://example.com/m)", "Map: https://example.com/m\n"),
        ("See the [map](https://example.com/m).", "See the map (https://example.com/m).\n"),
        ("[https://example.com](https://example.com)", "https://example.com\n"),
        ("[212](tel:212)", "212\n"),
        ("a  \nb", "a\nb\n"),
        ("> said", "said\n"),
        ("a\n\n---\n\nb", "a\n\n---\n\nb\n"),
        ("<b>x</b>", "<b>x</b>\n"),
    ],
)
def test_markdown_is_written_as_text(markdown: str, text: str) -> None:
    assert Document(markdown).text() == text


def test_html_and_dangerous_links_stay_text() -> None:
    html = Document("<b>x</b> [y](javascript:alert(1))").html()
    assert html == "<p>&lt;b&gt;x&lt;/b&gt; [y](javascript:alert(1))</p>\n"


def test_prose_leaves_headings_out() -> None:
    assert Document("## Why\n\nOne. Two.\n\n- three").prose() == "One. Two.\nthree"
