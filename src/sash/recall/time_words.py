"""The words by which languages name times, and the forms in which they stand: what `sash.recall.times` reads.

In a form `<number>`, `<unit>`, `<weekday>`, `<month>`, `<day>` and `<year>` stand for the language's own words; the
rest is a regular expression over small letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language's words and forms."""

    numbers: Mapping[str, int]
    units: Mapping[str, str]
    weekdays: Mapping[str, int]
    """Monday is 0"""
    months: Mapping[str, int]
    days: Mapping[str, int]
    """forms of single days, and how many days ago they were"""
    ago: tuple[str, ...]
    weekday: tuple[str, ...]
    """the last one before today"""
    weekday_last_week: tuple[str, ...] = ()
    """that of the week before this one"""
    calendar: Mapping[tuple[str, int], tuple[str, ...]]
    """forms of whole weeks, months and years: the unit, and how many ago"""
    dates: tuple[str, ...]
    months_alone: tuple[str, ...]
    days_of_month: Mapping[str, int] = field(default_factory=dict)
    """where they are written in words"""
    spaceless: bool = False


def _numbered(names: str, first: int = 1) -> dict[str, int]:
    """Words apart by blanks, forms of one word by "/"; each gets its number in the list."""
    return {name: at for at, word in enumerate(names.split(), first) for name in word.split("/")}


def _units(day: str, week: str, month: str, year: str) -> dict[str, str]:
    told = {"day": day, "week": week, "month": month, "year": year}
    return {name: unit for unit, names in told.items() for name in names.split("/")}


_HAN_TO_TEN = "一 二 三 四 五 六 七 八 九 十"
_HAN_TENS = [f"{tens}{one}" for tens in ("十", "二十", "三十") for one in ("", *_HAN_TO_TEN.split()[:9])][:22]
_HAN_DAYS = _numbered(" ".join([*_HAN_TO_TEN.split()[:9], *_HAN_TENS]))
_HAN_NUMBERS = _HAN_DAYS | {"两": 2, "兩": 2, "几": 3, "幾": 3, "数": 3}
_HAN_MONTHS = {f"{name}月": number for name, number in _HAN_DAYS.items() if number <= 12} | {
    f"{number}月": number for number in range(1, 13)
}

ENGLISH = Language(
    numbers=_numbered("a/an/one two three four five six seven eight nine ten eleven twelve")
    | {"a couple of": 2, "a few": 3},
    units=_units("day/days", "week/weeks", "month/months", "year/years"),
    weekdays=_numbered("monday tuesday wednesday thursday friday saturday sunday", 0),
    months=_numbered(
        "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sept/sep "
        "october/oct november/nov december/dec"
    ),
    days={
        "(?:the )?day before yesterday": 2,
        "yesterday|last night": 1,
        "today|this (?:morning|afternoon|evening)": 0,
    },
    ago=(r"<number> <unit> (?:ago|back)",),
    weekday=(r"(?:last|this past|past|on|previous) <weekday>", r"<weekday> (?:morning|afternoon|evening|night)"),
    calendar={
        ("week", 1): ("last week|(?:the )?(?:past|previous) week",),
        ("month", 1): ("last month|(?:the )?(?:past|previous) month",),
        ("year", 1): ("last year|(?:the )?(?:past|previous) year",),
        ("week", 0): ("this week",),
        ("month", 0): ("this month",),
    },
    dates=(
        r"<day>(?:st|nd|rd|th)? (?:of )?<month>\.?(?:,? <year>)?",
        r"<month>\.? <day>(?:st|nd|rd|th)?(?:,? <year>)?",
    ),
    months_alone=(r"<month>,? (?:of )?<year>", r"(?:in|during|last|since|back in|early in|late in) <month>"),
)

GERMAN = Language(
    numbers=_numbered("ein/einem/einer/einen zwei drei vier fünf sechs sieben acht neun zehn elf zwölf")
    | {"ein paar": 3, "einigen": 3},
    units=_units("tag/tage/tagen", "woche/wochen", "monat/monate/monaten", "jahr/jahre/jahren"),
    weekdays=_numbered("montag dienstag mittwoch donnerstag freitag samstag/sonnabend sonntag", 0),
    months=_numbered("januar/jänner februar märz april mai juni juli august september oktober november dezember"),
    days={"vorgestern": 2, "gestern": 1, "heute": 0},
    ago=(r"vor <number> <unit>",),
    weekday=(
        r"(?:am |am vergangenen |am letzten |letzten |vergangenen |vorigen )<weekday>(?:abend|morgen|nachmittag)?",
    ),
    calendar={
        ("week", 1): ("(?:letzte|vergangene|vorige|in der letzten|in der vergangenen)r? woche",),
        ("month", 1): ("(?:im )?(?:letzten|vergangenen|vorigen) monat",),
        ("year", 1): ("(?:im )?(?:letzten|letztes|vergangenen|voriges|vorigen) jahr",),
        ("week", 0): ("diese woche|in dieser woche",),
        ("month", 0): ("diesen monat|in diesem monat",),
    },
    dates=(r"<day>\. ?<month>(?: <year>)?", r"<day>\. ?(?P<m>1[0-2]|0?[1-9])\.(?: ?<year>)?"),
    months_alone=(r"<month> <year>", r"(?:im|seit|letzten|vergangenen) <month>"),
)

FRENCH = Language(
    numbers=_numbered("un/une deux trois quatre cinq six sept huit neuf dix onze douze") | {"quelques": 3},
    units=_units("jour/jours", "semaine/semaines", "mois", "an/ans/année/années"),
    weekdays=_numbered("lundi mardi mercredi jeudi vendredi samedi dimanche", 0),
    months=_numbered(
        "janvier février/fevrier mars avril mai juin juillet août/aout septembre octobre novembre décembre/decembre"
    ),
    days={"avant-hier": 2, "hier(?: soir| matin)?": 1, "aujourd['’]hui|ce matin|ce soir": 0},
    ago=(r"il y a <number> <unit>",),
    weekday=(r"<weekday> (?:dernier|passé)", r"(?:le |ce )?<weekday>"),
    calendar={
        ("week", 1): ("(?:la )?semaine (?:dernière|passée)",),
        ("month", 1): ("(?:le )?mois (?:dernier|passé)",),
        ("year", 1): ("(?:l['’]an dernier|l['’]année (?:dernière|passée))",),
        ("week", 0): ("cette semaine",),
        ("month", 0): ("ce mois(?:-ci)?",),
    },
    dates=(r"<day>(?:er)? <month>(?: <year>)?",),
    months_alone=(r"<month> <year>", r"(?:en|au mois de|au mois d['’]|depuis) ?<month>(?: dernier)?"),
)

SPANISH = Language(
    numbers=_numbered("un/una/uno dos tres cuatro cinco seis siete ocho nueve diez once doce") | {"unos": 3, "unas": 3},
    units=_units("día/días/dia/dias", "semana/semanas", "mes/meses", "año/años"),
    weekdays=_numbered("lunes martes miércoles/miercoles jueves viernes sábado/sabado domingo", 0),
    months=_numbered(
        "enero febrero marzo abril mayo junio julio agosto septiembre/setiembre octubre noviembre diciembre"
    ),
    days={"anteayer|antier|antes de ayer": 2, "ayer|anoche": 1, "hoy|esta mañana|esta tarde": 0},
    ago=(r"hace <number> <unit>",),
    weekday=(r"(?:el )?<weekday> pasado", r"(?:el )?pasado <weekday>", r"el <weekday>"),
    calendar={
        ("week", 1): ("(?:la )?semana pasada",),
        ("month", 1): ("(?:el )?mes pasado",),
        ("year", 1): ("(?:el )?año pasado",),
        ("week", 0): ("esta semana",),
        ("month", 0): ("este mes",),
    },
    dates=(r"<day> de <month>(?: (?:de|del) <year>)?",),
    months_alone=(r"<month> (?:de |del )?<year>", r"(?:en|desde) <month>(?: pasado)?"),
)

CHINESE = Language(
    numbers=_HAN_NUMBERS,
    days_of_month=_HAN_DAYS,
    units=_units("天/日", "周/星期/个星期/個星期/礼拜/个礼拜", "个月/個月", "年"),
    weekdays=_numbered("一 二 三 四 五 六 日/天", 0),
    months=_HAN_MONTHS,
    days={"大前天": 3, "(?<!大)前天": 2, "昨天|昨晚|昨日": 1, "今天|今早|今晚": 0},
    ago=(r"<number>\s?<unit>(?:以|之)?前",),
    weekday=(r"(?:周|星期|礼拜|週)<weekday>",),
    weekday_last_week=(r"上个?(?:周|星期|礼拜|週)<weekday>",),
    calendar={
        ("week", 1): ("上个?(?:周|星期|礼拜|週)",),
        ("month", 1): ("上个月|上個月|上月",),
        ("year", 1): ("去年",),
        ("week", 0): ("这个?(?:周|星期)|本周",),
        ("month", 0): ("这个月|本月",),
    },
    dates=(r"(?:<year>年)?\s?<month>\s?<day>\s?(?:日|号|號)",),
    months_alone=(r"(?:<year>年)?\s?<month>(?!\s?\d)",),
    spaceless=True,
)

JAPANESE = Language(
    numbers=_HAN_NUMBERS,
    days_of_month=_HAN_DAYS,
    units=_units("日/日間", "週間", "か月/ヶ月/カ月/ヵ月/ケ月", "年/年間"),
    weekdays=_numbered("月 火 水 木 金 土 日", 0),
    months=_HAN_MONTHS,
    days={"一昨日|おととい|おとつい": 2, "(?<!一)昨日|きのう|昨晩": 1, "今日|きょう|今朝": 0},
    ago=(r"<number>\s?<unit>(?:ほど|ぐらい|くらい)?前",),
    weekday=(r"<weekday>曜日?",),
    weekday_last_week=(r"先週の?<weekday>曜日?",),
    calendar={
        ("week", 1): ("先週",),
        ("month", 1): ("先月",),
        ("year", 1): ("去年|昨年",),
        ("week", 0): ("今週",),
        ("month", 0): ("今月",),
    },
    dates=(r"(?:<year>年)?\s?<month>\s?<day>\s?日",),
    months_alone=(r"(?:<year>年)?\s?<month>(?![\s曜]?\d)",),
    spaceless=True,
)

LANGUAGES = (ENGLISH, GERMAN, FRENCH, SPANISH, CHINESE, JAPANESE)
