"""`drip check` finds everything that can be wrong, says where, and says the way out."""

# ruff: noqa: E501  a row of a table is one line

from collections.abc import Callable
from pathlib import Path

import pytest

from drip.content.checks import Report, check
from drip.content.clinic_file import SAMPLE
from drip.content.problems import Severity
from drip.content.reply_rules import reply_rule_files
from drip.content.sources import ContentDir

Change = Callable[..., Path]
Write = Callable[[str, str], Path]

RIDE = "messages/arrange-a-ride/en.md"
SMS = "River Clinic: hello."
LIMIT = {"GSM-7": 2, "UCS-2": 4, None: 0}


@pytest.fixture(scope="module")
def report() -> Report:
    """The report on what is built in."""
    from drip.content.sources import content_dir

    return check(content_dir())


@pytest.fixture
def alone(tmp_path: Path, write: Write, content: ContentDir) -> ContentDir:
    """Content with the languages, the layout, the notices and one message called "note"."""
    files = [content.language("en"), content.page_words("en"), content.crisis_lines()]
    files += reply_rule_files(content).values()
    files += [content.layout("email.html.jinja"), content.layout("email.txt.jinja")]
    files += [content.message(notice, "en") for notice in ("rescheduled", "cancelled")]
    for file in files:
        write(str(file.relative_to(content.roots[0])), file.read_text(encoding="utf-8"))
    return ContentDir((tmp_path,))


@pytest.fixture
def note(alone: ContentDir, write: Write) -> Callable[..., Report]:
    """Check one message, made of its front matter (over good one) and its body."""

    def check_note(body: str = "Hi {{ patient.first_name }}.", **fields: str) -> Report:
        front = {"subject": "Your visit", "sources": "[Conclusion]", "sms": SMS, **fields}
        lines = "".join(f"{name}: {_quoted(name, text)}\n" for name, text in front.items())
        write("messages/note/en.md", f"---\n{lines}---\n{body}\n")
        write(
            "schedules/one.yaml",
            "schedule: one\ntitle: One\nversion: 1\nsteps:\n  - step: note\n    message: note\n"
            "    when: at booking\n    channels: [sms, email]\n    weight: essential\n",
        )
        return check(alone)

    return check_note


def _quoted(name: str, text: str) -> str:
    return text if name == "sources" else "'" + text.replace("'", "''") + "'"


def told(report: Report) -> list[str]:
    return [f"{problem.severity}: {problem}" for problem in report.problems]


def test_what_is_built_in_has_no_error(report: Report) -> None:
    assert report.errors == ()


def test_every_email_and_every_section_in_short_that_is_built_in_is_easy_to_read(
    report: Report, content: ContentDir
) -> None:
    read = {(row.message, row.language, row.wording): row.reading for row in report.rows}
    for message, files in content.messages().items():
        for language, path in files.items():
            wordings = ["", "in short"] if "\nin_short:" in path.read_text() else [""]
            for wording in wordings:
                reading = read[message, language, wording]
                assert reading is not None
                assert not reading.is_hard, (message, language, wording)
                assert reading.scale == {"en": "grade", "es": "INFLESZ"}[language]


def test_what_is_built_in_is_cheap_to_send(report: Report) -> None:
    discreet = [row for row in report.rows if row.wording == "discreet"]
    assert {row.language for row in discreet} == {"en", "es"}
    assert {(row.parts or 9) <= 2 and row.encoding == "GSM-7" for row in discreet} == {True}


@pytest.mark.parametrize("zone", ["New_York", "Chicago", "Denver", "Los_Angeles"])
def test_no_text_that_is_built_in_breaks_the_limit_even_at_worst(
    content: ContentDir, change: Change, zone: str
) -> None:
    for replies in ("on", "off"):
        clinic = change(
            "clinic.yaml",
            ("public_name: River Clinic ", "public_name: Riverside Family Care Center "),
            ("replies: off", f"replies: {replies}"),
            ("timezone: America/New_York", f"timezone: America/{zone}"),
        )
        report = check(content, clinic)
        texts = [row for row in report.rows if row.channel == "sms"]
        assert [row.step for row in texts if (row.most_parts or 9) > LIMIT[row.most_encoding]] == []
        assert {row.most_encoding for row in texts if row.language == "es"} == {"GSM-7", "UCS-2"}


def test_the_worst_case_of_the_sample_clinic_has_a_long_name_and_of_a_clinic_its_own(
    content: ContentDir, change: Change
) -> None:
    def most(report: Report) -> int | None:
        rows = [r for r in report.rows if (r.step, r.language) == ("questions-to-ask", "en")]
        return rows[0].most_parts

    assert most(check(content)) == 2
    assert most(check(content, change("clinic.yaml", ("River Clinic ", "River ")))) == 1


def test_notices_and_emails_that_stand_in_for_a_text_have_rows_too(report: Report) -> None:
    rows = {(r.step, r.channel, r.wording) for r in report.rows if r.language == "en"}
    for notice in ("rescheduled", "cancelled"):
        assert {(notice, "sms", "discreet"), (notice, "email", "")} <= rows
    assert {("day-of", "email", ""), ("evening-after", "email", "")} <= rows
    assert ("side-effects", "email", "in short") in rows


def test_there_is_a_row_for_each_step_channel_language_and_wording(report: Report) -> None:
    ride = [row for row in report.rows if row.step == "arrange-a-ride"]
    assert {(row.channel, row.language, row.wording) for row in ride} == {
        ("sms", "en", "discreet"),
        ("sms", "es", "discreet"),
        ("email", "en", ""),
        ("email", "es", ""),
    }


def test_many_texts_in_a_day_or_a_week_are_warnings(report: Report) -> None:
    crowded = [p for p in report.problems if p.path.endswith("ketamine-first-session.yaml")]
    assert {p.severity for p in crowded} == {Severity.WARNING}
    assert any("2 texts in a day (day-of, evening-after); aim at 1" in p.what for p in crowded)


def test_good_content_has_no_problem(note: Callable[..., Report]) -> None:
    report = note()
    assert told(report) == []
    sms, email = report.rows[:2]
    assert (sms.parts, sms.encoding) == (sms.most_parts, sms.most_encoding) == (1, "GSM-7")
    assert email.reading is not None


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"sources": "[Conclusions]"}, 'error: messages/note/en.md:3:11: the article has no heading "Conclusions"; did you mean "Conclusion"?'),
        ({"sources": "[]"}, "error: messages/note/en.md:3:10: sources is empty"),
        ({"sms": "River: your ketamine visit."}, 'error: messages/note/en.md:4:19: "ketamine" is not discreet'),
        ({"sms": "River: see your Psychiatrist."}, 'error: messages/note/en.md:4:23: "Psychiatrist" is not discreet'),
        ({"sms": '{{ invite("Ask your therapist") }}'}, 'error: messages/note/en.md:4:27: "therapist" is not discreet'),
        ({"subject": "Your ketamine visit"}, 'error: messages/note/en.md:2:16: "ketamine" is not discreet'),
        ({"sms": "Hi {{ patient.first_name }}."}, "error: messages/note/en.md:4:13: no patient's name goes into a text"),
        ({"sms_plain": "Hi {{ patient.first_name }}."}, "error: messages/note/en.md:5:19: no patient's name"),
        ({"sms": "River: see you tomorrow."}, 'error: messages/note/en.md:4:22: "tomorrow" may be wrong when this is read; use {{ session.when }}'),
        ({"body": "One.\n\nSee you\nthis morning."}, 'error: messages/note/en.md:9:1: "this morning" may be wrong'),
        ({"sms": "Call {{ clinic.fone }}."}, 'error: messages/note/en.md:4:15: nothing is called "clinic.fone" here; did you mean "clinic.phone"?'),
        ({"body": "{% if session.route == 'iv' %}{{ pacient.first_name }}{% endif %}Hi."}, 'error: messages/note/en.md:6:34: nothing is called "pacient.first_name" here; did you mean "patient.first_name"?'),
        ({"sms": "Danger: {{ crisis.email }}"}, 'error: messages/note/en.md:4:18: nothing is called "crisis.email" here; did you mean "crisis.sms"?'),
        ({"body": "{% for x in catch_up %}{{ x.title }}{% endfor %}{{ y }}"}, 'error: messages/note/en.md:6:52: nothing is called "y" here'),
        ({"body": "{% if session.route %}Hello.{% endif %}"}, "error: messages/note/en.md:6:1: this comes out empty"),
        ({"sms": "{% if session.route %}x"}, "error: messages/note/en.md:4:7: this is not a template: Unexpected end"),
        ({"sms": "x" * 307}, "error: messages/note/en.md:4:7: this text takes 3 parts; at most 2: shorten it"),
        ({"sms": "ñandú " + "x" * 270}, 'error: messages/note/en.md:4:7: this text takes 5 parts because of "ú", which make it UCS-2; at most 4'),
        ({"sms": "{{ session.when }} " + "x" * 280}, "warning: messages/note/en.md:4:7: with long names, dates and times this text takes 3 parts"),
        ({"in_short": "Intravenous administration necessitates cardiovascular monitoring.", "title": "t"}, "error: messages/note/en.md:5:12: this reads like US school grade "),
        ({"sms": "Come {{ session.arrive_at }}."}, "error: messages/note/en.md:4:15: session.arrive_at names no zone; say {{ session.at }} beside it"),
        ({"sms": "Mañana está"}, 'warning: messages/note/en.md:4:7: this text takes 1 parts because of "á"'),
        ({"body": "Intravenous administration necessitates continuous cardiovascular monitoring."}, "error: messages/note/en.md:6:1: this reads like US school grade "),
        ({"body": "The doctor will see you and talk about how you feel, and about every question that you have."}, "warning: messages/note/en.md:6:1: this reads like US school grade 7"),
    ],
)  # fmt: skip
def test_each_problem_of_a_message_is_told_with_its_place(
    note: Callable[..., Report], fields: dict[str, str], problem: str
) -> None:
    found = told(note(**fields))
    assert any(each.startswith(problem) for each in found), found


def test_an_emergency_line_is_always_discreet(note: Callable[..., Report]) -> None:
    assert note(sms="River: {{ crisis.sms }}").errors == ()


def test_a_message_that_is_missing_in_a_language_is_told(
    own: ContentDir, write: Write, change: Change
) -> None:
    write(
        "messages/parking/en.md",
        f'---\nsubject: s\nsources: [Conclusion]\nsms: "{SMS}"\n---\nHi.\n',
    )
    found = told(check(own))
    missing = 'parking/es.md:1:1: Message "parking" is not there in "es"'
    assert any(missing in each for each in found), found


def test_a_notice_that_is_missing_is_told(alone: ContentDir, tmp_path: Path) -> None:
    (tmp_path / "messages/cancelled/en.md").unlink()
    (found,) = told(check(alone))
    assert found.startswith(
        'error: messages/cancelled/en.md:1:1: the message "cancelled" is missing; write it'
    )


def test_broken_files_do_not_hide_one_another(
    own: ContentDir, change: Change, write: Write, place_of: Callable[[str, str], str]
) -> None:
    change("messages/welcome/en.md", ("subject:", "subjcet:"))
    change("messages/_language/es.yaml", ("\ntest_mark:", "\nmark:"))
    write("schedules/broken.yaml", "schedule: [")
    found = "\n".join(told(check(own, write("clinic.yaml", "clinic: 5\n"))))
    for place in (
        'messages/welcome/en.md:2:1: unknown key "subjcet"; did you mean "subject"?',
        f"messages/_language/es.yaml:{place_of('messages/_language/es.yaml', 'mark:')}: unknown key",
        "schedules/broken.yaml:",
        "clinic.yaml:1:9: this must be text",
    ):
        assert place in found


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("public_name: River Clinic", "public_name: River Ketamine Center", 'clinic.yaml:5:20: "Ketamine" is not discreet: lock screens'),
        ("country: US", "country: FR", 'clinic.yaml:6:10: there are no emergency and crisis lines for "FR"'),
        ("language: en", "language: de", 'clinic.yaml:8:11: there are no words in "de"; known: en, es'),
        ("# instructions:", "instructions: {de: {food: Essen.}}", 'clinic.yaml:44:16: there are no messages in "de"'),
        ("# instructions:", "instructions: {en: {driving_short: After ketamine do not drive.}}", 'arrange-a-ride/en.md:5:7: a value puts "ketamine" in here, which is not discreet'),
    ],
)  # fmt: skip
def test_each_problem_of_a_clinic_is_told_with_its_place(
    content: ContentDir, change: Change, old: str, new: str, problem: str
) -> None:
    found = told(check(content, change("clinic.yaml", (old, new))))
    assert any(problem in each and each.startswith("error") for each in found), found


def test_a_message_in_a_language_without_words_is_told(own: ContentDir, write: Write) -> None:
    write("messages/welcome/fr.md", "")
    found = [each for each in told(check(own)) if "fr.md" in each]
    assert found == [
        (
            'warning: messages/welcome/fr.md:1:1: nobody gets this: there are no words in "fr"; '
            "write messages/_language/fr.yaml"
        )
    ]


def test_a_calendar_title_must_be_discreet(
    own: ContentDir, change: Change, place_of: Callable[[str, str], str]
) -> None:
    change("messages/_language/en.yaml", ('title: "Visit:', 'title: "Ketamine visit:'))
    found = told(check(own))
    place = place_of("messages/_language/en.yaml", "Ketamine visit:")
    assert any(f'en.yaml:{place}: "Ketamine" is not discreet' in each for each in found), found


def test_a_language_without_a_crisis_sentence_is_told(
    own: ContentDir, change: Change, place_of: Callable[[str, str], str]
) -> None:
    change("messages/_crisis_lines.yaml", ('    es: "¿Peligro', '    fr: "¿Peligro'))
    found = told(check(own))
    place = place_of("messages/_crisis_lines.yaml", "sms:")
    assert any(f'lines.yaml:{place}: no sentence in "es"' in each for each in found), found


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("  arrive:", "  arives:", 'unknown key "arives"; did you mean "arrive"?'),
        ('  contact: "', '  # contact: "', '"contact" is missing here; add it'),
        ("{{ session.at }}", "{{ session.hour }}", 'nothing is called "session.hour" here'),
        ("Your visit", "Your ketamine visit", '"ketamine" is not discreet: others may see this'),
        ("That day has passed", "It was today", '"today" may be wrong when this is read'),
    ],
)
def test_each_problem_in_the_words_of_patients_pages_is_told_with_its_place(
    own: ContentDir,
    change: Change,
    place_of: Callable[[str, str], str],
    old: str,
    new: str,
    problem: str,
) -> None:
    file = "messages/_pages/en.yaml"
    change(file, (old, new))
    found = [each for each in told(check(own)) if file in each]
    line = "7" if "missing" in problem else place_of(file, new.strip()).partition(":")[0]
    assert len(found) == 1
    assert found[0].startswith(f"error: {file}:{line}:")
    assert problem in found[0]


def test_a_language_without_words_for_patients_pages_is_told(
    own: ContentDir, change: Change
) -> None:
    change("messages/_language/es.yaml", ("language: es", "language: ca")).rename(
        "messages/_language/ca.yaml"
    )
    assert (
        'error: messages/_language/ca.yaml:1:1: Patients\' pages have no words in "ca": '
        "write messages/_pages/ca.yaml beside en, es."
    ) in told(check(own))


def test_an_instruction_that_nobody_says_is_told_where_it_is_needed(
    alone: ContentDir, change: Change, note: Callable[..., Report]
) -> None:
    language = alone.language("en")
    text = language.read_text(encoding="utf-8")
    language.write_text("".join(x for x in text.splitlines(True) if not x.startswith("  food:")))
    (found,) = told(note("Hi. {{ clinic.food }}"))
    assert found.startswith('error: messages/note/en.md:6:8: nobody says "food" in "en": add it')


def test_the_sample_clinic_is_used_where_there_is_none(content: ContentDir) -> None:
    assert check(content) == check(content, SAMPLE)
