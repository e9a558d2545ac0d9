"""The forms in which users say what holds of them, and what such statements are about, as tables of patterns.

# name               a name for the forms that follow
a pattern            one form; a line that begins with more blanks goes on where the one before it ended
"""

from __future__ import annotations

import re
from collections.abc import Mapping

KINDS_TABLE = r"""
# preference
\bI(?:'d| would)? (?:really |absolutely |also |usually |generally |don't |do not |no longer )*
    (?:like|love|enjoy|prefer|hate|dislike|adore|avoid|can't stand|cannot stand)\b
    (?! (?:to know|to ask|your|that\b|it\b|this\b|how\b|what\b|you\b))
\bI(?:'m| am)(?: \w+)? (?:a |an )?(?:vegetarian|vegan|pescatarian|teetotal|left-handed|right-handed|colou?r-?blind|
    diabetic|allergic|intolerant|lactose|gluten)\b
\bI (?:don't|do not|never|can't|cannot) (?:eat|drink|smoke|drive|fly|watch|read|use|wear)\b
\b(?:my|our) (?:all-time )?favou?rites?\b|\b(?:allergic|intolerant|allergy) to\b
\bich (?:mag|liebe|hasse|bevorzuge|esse|trinke|vertrage)\b|\bmein\w* lieblings\w+|\ballergisch gegen\b
\bich bin (?:vegetarier|veganer|vegetarisch|vegan|allergisch)
\bj'(?:aime|adore)\b|\bje (?:pr[ée]f[èe]re|d[ée]teste|n'aime pas|ne mange pas|ne bois pas)\b|\ballergique\b
\bje suis v[ée]g|\bm(?:on|a) \w+ pr[ée]f[ée]r[ée]
\b(?:me gusta|me encanta|odio|prefiero|no como|no bebo)\b|\bsoy (?:al[ée]rgic|veg)|\bmi \w+ favorit
我(?:最)?(?:喜欢|讨厌|爱|不喜欢|不吃|不喝|偏好)|过敏|我是素食
(?:が|は)(?:大)?(?:好き|嫌い|苦手)|アレルギー|ベジタリアン

# fact
\bmy (?:full |first |last )?name(?:'s| is)\b|\bI(?:'m| am) called\b
\b(?:I|we) (?:now )?live (?:in|at|on|near|with)\b|\b(?:I|we)(?:'ve| have)? (?:just |recently )?moved (?:in)?to\b
\bI was born\b|\bI (?:now )?work (?:as|at|for|in)\b
\bI(?:'m| am) (?:a|an|the) (?!bit|little|lot|fan of|huge|big|few|one\b|only\b|same\b)(?:[\w-]+ ){0,3}\w+(?:[.,!]|$)
\bI(?:'m| am) (?:married|engaged|divorced|single|retired|pregnant|\d{2} years old)
\b(?:I|we) have (?:a|an|one|two|three|four|five|six|\d+) (?:[\w-]+ ){0,2}
    (?:kids?|child(?:ren)?|sons?|daughters?|brothers?|sisters?|dogs?|cats?|horses?|cars?|houses?|pets?|employees)\b
\b(?:my|our) (?:[\w'’-]+ ){0,2}(?:wife|husband|partner|son|daughter|mother|father|brother|sister|boss|dog|cat|horse|
    car|house|address|phone|number|birthday|company|team|school|doctor|job|e-?mail|anniversary|landlord|neighbou?r|
    girlfriend|boyfriend|grandmother|grandfather|aunt|uncle|cousin|friend|teacher|child|kids|children|pets?|flat|
    apartment|garden|blood type|size|budget|deadline|flight|time zone)(?:'s)?(?: [\w'’-]+){0,2}
    \s(?:is|are|was born|has|have|turns)\b
\bich (?:hei(?:ß|ss)e|wohne|lebe in|arbeite|bin \d+ jahre)\b
\bmein\w* (?:name|frau|mann|sohn|tochter|hund|katze|adresse|chef\w*|bruder|schwester|mutter|vater|geburtstag)\w*
    \s(?:ist|sind|hei(?:ß|ss)t)\b
\bje m'appelle\b|\bj'habite\b|\bje travaille\b
\bm(?:on|a|es) (?:femme|mari|fils|fille|chien|chat|adresse|patron|fr[èe]re|s[œo]e?ur|m[èe]re|p[èe]re|anniversaire)
    \s(?:est|s'appelle|sont)\b
\bme llamo\b|\bvivo en\b|\btrabajo (?:en|como|para)\b
\bmi (?:esposa|mujer|marido|hijo|hija|perro|gato|jefe|direcci[óo]n|hermano|hermana|madre|padre|cumplea[ñn]os)
    \s(?:es|se llama|est[áa])\b
我(?:叫|住在|在.{1,12}工作|是一?[个名位])
我的(?:名字|妻子|丈夫|儿子|女儿|狗|猫|地址|生日|老板|哥哥|姐姐|弟弟|妹妹|妈妈|爸爸).{0,8}(?:是|叫|在)
私の(?:名前|妻|夫|息子|娘|犬|猫|住所|誕生日|上司|兄|姉|弟|妹|母|父)は|私は.{1,20}(?:に住んで|で働いて)

# asked
[?？¿؟]\s*["'”’)]*$|^\s*¿|(?:吗|呢|か)[?？。]?$

# noted
^\s*(?:important|note|nb|n\.b|fyi|for the record|please note|attention|keep in mind|remember)\b

# lasting
\b(?:always|never|from now on|whenever|every time|don['’]?t|do not|only)\b

# supposed
^\s*(?:if|suppose|imagine|what if|wenn|falls|si|要是|如果|もし)\b
"""

TOPICS_TABLE = r"""
# name
\bmy (?:full |first |last )?name(?:'s| is)\b|\bcall me\b|\bI(?:'m| am) called\b|\bich hei(?:ß|ss)e\b
\bnenn(?:e|en sie)? mich\b|\bje m'appelle\b|\bappele?l?(?:e|ez)[- ]moi\b|\bme llamo\b|\bll[áa]mame\b
我叫|叫我|私の名前|と呼んで

# home
\b(?:I|we) (?:now )?live (?:in|at|on|near)\b|\b(?:I|we)(?:'ve| have)? (?:just |recently )?moved (?:in)?to\b
\b(?:my|our) (?:home )?address (?:is|was)\b|\bich wohne\b|\bich lebe in\b|\bj'habite\b|\bvivo en\b|我住在|に住んで

# employer
\bI (?:now )?work (?:at|for)\b|\bich arbeite (?:bei|f[üu]r)\b|\bje travaille chez\b|\btrabajo (?:en|para)\b

# job
\bI (?:now )?work as\b|\bmy (?:job|profession|occupation) is\b|\bich arbeite als\b|\btrabajo como\b

# diet
\bI(?:'m| am)(?: \w+)? (?:a )?(?:vegetarian|vegan|pescatarian|omnivore)\b|\bI (?:don't|do not) eat meat\b
\bich bin (?:vegetarier|veganer|vegetarisch|vegan)|\bje suis v[ée]g|\bsoy veg|素食|ベジタリアン

# birthday
\bmy birthday\b|\bI was born on\b|\bgeburtstag\b|\banniversaire\b|\bcumplea[ñn]os\b|生日|誕生日
"""

INSTRUCTED_TABLE = r"""
# language
\b(?:in|auf|en|em) (?:plain |simple )?(?:english|german|french|spanish|italian|portuguese|dutch|polish|russian|
    chinese|japanese|korean|arabic|hindi|turkish|deutsch|englisch|franz[öo]sisch|spanisch|fran[çc]ais|anglais|
    allemand|espa[ñn]ol|ingl[ée]s|franc[ée]s|alem[áa]n)\b
用(?:中文|英文|英语|法语|德语|日语)|(?:日本語|英語|中国語)で

# units
\b(?:metric|imperial|(?:in|to) (?:feet|inches|met(?:er|re)s|miles|kilomet(?:er|re)s|celsius|fahrenheit))\b

# length
\b(?:brief|short|concise|long|detailed|in detail|verbose|terse|one sentence|one paragraph)\b
\b(?:kurz|ausf[üu]hrlich|bref|breve)\b

# emoji
\bemojis?\b|表情符号|絵文字

# tone
\b(?:formal|informal|casual|polite|professional|friendly)\b|\bper (?:du|sie)\b|\b(?:tutoie|vouvoie)

# lists
\bbullet(?:s| points?| lists?)\b|\b(?:as|avoid|in|no|use|with)(?: a)? tables?\b
"""


def _read(table: str) -> Mapping[str, re.Pattern[str]]:
    """One pattern for each name."""
    forms: dict[str, list[str]] = {}
    name = ""
    for line in filter(str.strip, table.splitlines()):
        if line.startswith("# "):
            name = line[2:]
        elif line.startswith("    "):
            forms[name][-1] += line.strip()
        else:
            forms.setdefault(name, []).append(line)
    return {name: re.compile("|".join(f"(?:{form})" for form in found), re.I) for name, found in forms.items()}


KIND_FORMS = _read(KINDS_TABLE)
"""What a preference and a fact look like; what a question and a supposition."""
TOPIC_FORMS = _read(TOPICS_TABLE)
"""What tells a topic, in any statement."""
INSTRUCTED_FORMS = _read(INSTRUCTED_TABLE)
"""What tells what an instruction is about."""
