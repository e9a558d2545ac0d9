"""The forms in which users say what holds of them, and what such statements are about, as tables (see
`sash.model.patterns`).

THING stands for whom and what people have, OWNED for what they can lose or sell, NAME for a name behind it.
"""

from __future__ import annotations

from sash.model.patterns import joined, sections

OWNED = (
    r"(?:dogs?|cats?|horses?|pets?|rabbits?|birds?|cars?|van|boat|bike|bicycle|motorbike|motorcycle|house|flat|apartment|"
    r"cottage|garden|phone|company|shop)"
)
THING = (
    rf"(?:{OWNED}|wife|husband|partner|son|daughter|mother|mum|mom|father|dad|brother|sister|boss|address|number|birthday|"
    r"team|school|doctor|job|e-?mail|anniversary|landlord|neighbou?r|girlfriend|boyfriend|grandmother|grandfather|aunt|"
    r"uncle|cousin|friend|teacher|child|kids|children|blood type|size|budget|deadline|flight|time zone)"
)
LANGUAGE = (
    r"(?:english|german|french|spanish|italian|portuguese|dutch|polish|russian|chinese|japanese|korean|arabic|hindi|turkish|"
    r"deutsch|englisch|franz[öo]sisch|spanisch|fran[çc]ais|anglais|allemand|espa[ñn]ol|ingl[ée]s|franc[ée]s|alem[áa]n|italiano)"
)
NAME = r"((?: (?-i:[A-Z])[\w'’-]+)*)"

PREFERENCES_TABLE = r"""
# what one would rather
| prefer, rather
\bI(?:['’]d| would)? (?:\w+ly |always |much |also |still |now |do )*(?:prefer|rather)\b(?! (?:that|it|this|how|what|
    you)\b)

# what one likes
| like, love, enjoy, adore
\bI (?:\w+ly |always |also |still |do |just |no longer |don['’]?t |do not )*(?:like|love|enjoy|adore)\b
    (?! (?:to (?:know|ask|say)|your?|that|it|this|how|what|when|where|the (?:idea|way|sound|look))\b)

# what one does not
| hate, dislike, detest, loathe, avoid, can't, can’t, cant, cannot, don't, don’t, dont, do not, never
\bI (?:\w+ly |also |still )*(?:hate|dislike|detest|loathe|avoid|(?:can['’]?t|cannot) (?:stand|bear|have|eat|drink|
    tolerate|
    digest|fly|drive)|(?:don['’]?t|do not|never) (?:eat|drink|drive|fly|smoke|wear|own|watch|read|use))\b
    (?! (?:it|that|this|to|how|when|what|out)\b)

# what one is
| i only, vegetarian, vegan, pescatarian, teetotal, handed, blind, diabetic, allergic, intoleran, lactose, gluten,
    fan of, keen on, fond of, afraid, scared, terrified, diet, morning person, night owl, early riser
\bI only (?:eat|drink|wear|buy|read|use|watch|listen|travel|fly|stay)\b
\bI(?:['’]m| am)(?: \w+){0,2}? (?:a |an )?(?:vegetarian|vegan|pescatarian|teetotal|left-handed|right-handed|
    colou?r-?blind|
    diabetic|allergic|intolerant|lactose|gluten)\b
\bI(?:['’]m| am) (?:\w+ly )?(?:not (?:a (?:big |huge )?fan of|keen on|fond of)|(?:afraid|scared|terrified) of|
    on an? (?:\w+[ -]){1,3}diet|an? (?:\w+ )?(?:morning person|night owl|early riser))\b

# what one bears, uses and likes best
| make me, makes me, i use a, favorite, favourite, allerg, intoleran
\bmakes? me (?:sick|ill|dizzy|anxious|sneeze|sleepy|nervous)\b|\bI use an? (?:wheelchair|hearing aid|screen reader|
    walking stick)\b
\b(?:my|our) (?:all-time )?favou?rites? (?:\w+ ){0,4}(?:is|are)\b|\b(?:is|are) (?:my|our) (?:all-time )?favou?rites?\b
\b(?:allergic|intolerant|allergy|intolerance) to\b

# German
| ich mag, ich liebe, ich hasse, ich bevorzuge, ich esse, ich trinke, ich vertrage, lieblings, allergisch, ich bin
\bich (?:mag|liebe|hasse|bevorzuge|(?:esse|trinke|vertrage) (?:kein\w*|nur|nie|gern\w*|lieber|am liebsten))\b
\bmeine?\w* lieblings\w+|\ballergisch gegen\b|\bich bin (?:vegetarier|veganer|vegetarisch|vegan|allergisch)

# French
| aime, adore, fère, fere, teste, ne mange, ne bois, ne supporte, allergique, je suis v, préf, pref
\bj['’](?:aime|adore)\b|\bje (?:pr[ée]f[èe]re|d[ée]teste|n['’]aime pas|ne (?:mange|bois|supporte) pas)\b|
    \ballergique\b
\bje suis v[ée]g|\bm(?:on|a) \w+ pr[ée]f[ée]r[ée]|\bpr[ée]f[ée]r[ée]e?s? est\b

# Spanish, Italian, Portuguese, Dutch
| me gusta, me encanta, prefier, prefer, detesto, odio, no como, no bebo, no soporto, soy al, soy veg, favorit, mi piac,
    non mangio, non bevo, non sopporto, prefiro, odeio, não, ik haat, ik heb, ik hou, ik eet, ik drink, ik geef
\b(?:me (?:gustan?|encantan?)|prefiero|detesto|odio|no (?:como|bebo|soporto))\b|\bsoy (?:al[ée]rgic|veg)|
    \bmis? \w+ favorit
\bfavorit[oa]s? es\b
\b(?:preferisco|detesto|mi piac\w+|non (?:mangio|bevo|sopporto))\b|\bpreferit[oa] è\b
\b(?:prefiro|odeio|detesto|não (?:gosto|como|bebo|suporto))\b
\bik (?:haat|heb liever|hou (?:niet )?van|eet geen|drink geen|geef de voorkeur)\b

# Polish, Russian
| wolę, nie lubię, nie jem, nie piję, nie znoszę, nienawidzę, предпочитаю, ненавижу, я не, любим
\b(?:wolę|nie (?:lubię|jem|piję|znoszę)|nienawidzę)\b
\bя (?:предпочитаю|ненавижу|не (?:люблю|ем|пью|переношу))\b|\bлюбим(?:ый|ая|ое)\b[^.]*(?:—|это)

# Arabic, Hindi
| أفضّل, أكره, لا, पसंद
أفضّل|أكره|(?:^|\s)لا (?:أحب|آكل|أشرب)
पसंद (?:है|नहीं)

# Chinese, Japanese, Korean
| 我, 过敏, 好き, 嫌い, 苦手, アレルギー, ベジタリアン, 좋아, 싫어, 못 먹
我(?:很|更|最|不|很不)?(?:喜欢|讨厌|爱|偏好)|我不(?:吃|喝)|过敏|我是素食|我吃素
(?:が|は)(?:大)?(?:好き|嫌い|苦手)|アレルギー|ベジタリアン
(?:을|를|이|가) (?:더 )?(?:좋아해|싫어해|좋아합|싫어합|못 먹)
"""

KINDS_TABLE = r"""
# fact
\bmy (?:full |first |last )?name(?:'s| is)\b|\bI(?:'m| am) called\b|\b(?:I|we) live with\b|\bI was born\b|
    \bI (?:now )?work in\b
\bI(?:'m| am) (?:a|an|the) (?!bit|little|lot|fan of|huge|big|few|one\b|only\b|same\b)(?:[\w-]+ ){0,3}\w+(?:[.,!]|$)
\bI(?:'m| am) (?:retired|pregnant|\d{2} years old)
\b(?:I|we) have (?:a|an|one|two|three|four|five|six|\d+) (?:[\w-]+ ){0,2}
    (?:kids?|child(?:ren)?|sons?|daughters?|brothers?|sisters?|employees|OWNED)\b
\b(?:my|our) (?:[\w'’-]+ ){0,2}THING(?:'s)?(?: [\w'’-]+){0,2} (?:is|are|was born|has|have|turns)\b
\bich (?:hei(?:ß|ss)e|arbeite|bin \d+ jahre)\b
\b(?:mein|unser)\w* (?:name|frau|mann|sohn|tochter|hund|katze|pferd|auto|haus|adresse|chef\w*|bruder|schwester|mutter|
    vater|geburtstag)\w*
    (?: \w+)? (?:ist|sind|hei(?:ß|ss)t)\b
\bje m'appelle\b|\bje travaille\b
\b(?:m(?:on|a|es)|notre) (?:femme|mari|fils|fille|chien|chat|voiture|maison|adresse|patron|fr[èe]re|s[œo]e?ur|m[èe]re|
    p[èe]re|anniversaire)
    (?: \w+)? (?:est|s'appelle|sont)\b
\bme llamo\b|\btrabajo (?:en|como|para)\b
\b(?:mi|nuestr[oa]) (?:esposa|mujer|marido|hijo|hija|perro|gato|coche|casa|jefe|direcci[óo]n|hermano|hermana|madre|
    padre|cumplea[ñn]os)
    (?: \w+)? (?:es|se llama|est[áa])\b
我(?:叫|是一?[个名位])
我的(?:名字|妻子|丈夫|儿子|女儿|狗|猫|车|房子|地址|生日|老板|哥哥|姐姐|弟弟|妹妹|妈妈|爸爸).{0,8}(?:是|叫|在)
私の(?:名前|妻|夫|息子|娘|犬|猫|車|家|住所|誕生日|上司|兄|姉|弟|妹|母|父)は|私は.{1,20}で働いて

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
\bmy (?:full |first |last )?name(?:'s| is)\b|\b(?:call|address) me\b|\bI(?:'m| am) called\b|\bich hei(?:ß|ss)e\b
\bnenn(?:e|en sie)? mich\b|\bje m'appelle\b|\bappele?l?(?:e|ez)[- ]moi\b|\bme llamo\b|\bll[áa]mame\b|\bchiamami\b
\bme chame\b|\bchame-me\b|\bnoem me\b|\bnazywaj mnie\b
\b(?:называй|зови)(?:те)? меня\b|نادني|我叫|叫我|私の名前|と呼んで|불러

# home
\b(?:I|we)(?:['’](?:m|re)| am| are)? (?:now |just |still |currently |both )*(?:live|living) (?:in|at|on|near)\b
\b(?:I|we)(?:['’]ve| have)? (?:just |recently |finally |now |since )*(?:moved|
    relocated) (?:from [^.,;]{1,40} )?(?:in)?to\b
    (?! (?:the next|another|an? (?:new )?(?:job|role|team|project|topic))\b)
\b(?:my|our) (?:home )?address (?:is|was)\b
\b(?:ich (?:wohne|lebe)|wir (?:wohnen|leben))\b|\b(?:ich bin|wir sind) [^.;]{0,30}\b(?:nach|
    in) [^.;]{1,40} (?:um)?gezogen\b
\b(?:j['’]habite|nous habitons|je vis [àae]n?)\b|\b(?:j['’]ai|nous avons|on a) (?:\w+ )?d[ée]m[ée]nag[ée] (?:[àa]|en|
    aux?|pour|vers|dans)\s
\b(?:je me suis|nous nous sommes) install[ée]e?s? (?:[àa]|en|aux?)\s
\bviv(?:o|imos) en\b|\b(?:me (?:mud[ée]|traslad[ée]|he (?:mudado|trasladado))|nos (?:mudamos|trasladamos|
    hemos (?:mudado|trasladado)))\s+a\b
我(?:们)?(?:现在|目前|刚|刚刚|已经|一直|都|家)*(?:从.{1,8})?(?:住在|搬到|搬去|搬来|搬家到)
^(?!.*(?:さん|友達|友人|彼女?|母|父|兄|姉|弟|妹|息子|娘|妻|夫)(?:が|は)).*(?:に住んで|(?:に|へ)引っ?越し?(?:し?ました|した|て)|に移り住)

# employer
\bI(?:['’]m| am)? (?:now |currently |still )*(?:work|working) (?:at|for)\b
\bI(?:['’]ve| have)? (?:just |recently )*started (?:a (?:new )?job |working )?(?:at|for)\b
\bich arbeite (?:jetzt |nun )?(?:bei|f[üu]r)\b|\bje travaille (?:maintenant )?(?:chez|pour)\b|
    \btrabajo (?:ahora )?(?:en|para)\b
我(?:现在)?在.{1,12}(?:工作|上班)|で働いて

# job
\bI (?:now )?work as\b|\bmy (?:job|profession|occupation) is\b|\bich arbeite (?:jetzt |nun )?als\b|\btrabajo como\b

# marriage
\b(?:I|we)(?:['’](?:m|re|ve)| am| are| have)? (?:just |recently |now |got |getting |happily |newly )*(?:married|
    engaged|divorced|single|widowed)\b
\bmy (?:wife|husband) and I (?:have )?(?:divorced|separated|split up)\b
\bich bin (?:verheiratet|geschieden|verlobt|ledig)\b|\bje suis (?:mari[ée]|divorc[ée]|c[ée]libataire)|\b(?:estoy|
    soy) (?:casad|divorciad|solter)
我(?:结婚|离婚|单身)|(?:結婚|離婚)しました

# diet
\bI(?:['’]m| am)(?: \w+){0,2}? (?:a |an )?(?:vegetarian|vegan|pescatarian|omnivore)\b|\bI (?:don't|do not) eat meat\b|
    \bI eat meat\b
\bich bin (?:\w+ ){0,2}(?:vegetarier|veganer|vegetarisch|vegan)|\bje suis v[ée]g|\bsoy veg|素食|吃素|ベジタリアン

# birthday
\bmy birthday\b|\bI was born on\b|\bgeburtstag\b|\banniversaire\b|\bcumplea[ñn]os\b|生日|誕生日

# how many
\b(?:I|we) have (?:two|three|four|five|six|\d+|no) (?:kids|children)\b
"""

ENDS_TABLE = r"""
# my
\b(?:my|our) (?:[\w'’-]+ )?(THING)NAME(?: has| have| was| were| is| are|['’]s)?(?: just| recently| sadly)*
    \s(?:died|dead|passed away|ran away|run away|stolen|sold|put (?:down|to sleep))\b
\b(?:I|we)(?:['’]ve| have| had to)? (?:just |recently |finally |also )*(?:sold|sell|gave away|given away|got rid of|
    scrapped|lost|
    no longer (?:have|own)|(?:don['’]?t|do not) (?:have|own)) (?:my|our|the|an?|any) (?:[\w'’-]+ )?(OWNED)\bNAME
\bI(?:['’]ve| have)? (?:broke|broken|split) up with my (girlfriend|boyfriend|partner)\bNAME
\b(?:mein|unser)\w* (hund|katze|kater|pferd|frau|mann|mutter|vater|bruder|schwester|auto|rad|fahrrad|haus)NAME
    \s(?:ist|sind|wurde) (?:\w+ )?(?:gestorben|verstorben|tot|gestohlen|verkauft|weggelaufen)\b
\bich habe (?:mein\w*|das|den|die|unser\w*) (\w+) (?:verkauft|weggegeben|verschrottet)\b
\b(?:m(?:on|a|es)|notre) (chien|chienne|chat|chatte|cheval|femme|mari|m[èe]re|p[èe]re|fr[èe]re|s[œo]e?ur|voiture|
    v[ée]lo|maison)NAME
    \s(?:est|sont|a [ée]t[ée]) (?:\w+ )?(?:mort|d[ée]c[ée]d[ée]|vol[ée]|vendu)e?s?\b
\bj['’]ai vendu (?:m(?:on|a|es)|le|la|l['’]) ?(\w+)
\b(?:mi|nuestr[oa]) (perr[oa]|gat[oa]|caballo|esposa|mujer|marido|madre|padre|herman[oa]|coche|bici|casa)NAME
    \s(?:ha muerto|muri[óo]|falleci[óo]|ha fallecido|se muri[óo])
\b(?:vend[íi]|he vendido|hemos vendido) (?:mi|el|la|nuestr[oa]) (\w+)
我(?:家)?的?(狗|猫|车|房子|妻子|丈夫|妈妈|爸爸|哥哥|姐姐|弟弟|妹妹)(?:已经|昨天|上周|刚)*(?:死了|去世了|过世了|走丢了|没了|被偷了)
我(?:已经)?(?:把)?(车|房子|自行车)(?:已经)?卖掉?了|我(?:已经)?卖掉?了(?:我的)?(车|房子|自行车)
(犬|猫|母|父|妻|夫)が(?:死に|死ん|亡くな)|(車|家|自転車)を売(?:り|っ)

# home
\b(?:I|we) (?:no longer|don['’]?t|do not) live (?:in|at|on|near) ([^.,;!?]+)
\b(?:I|we)(?:['’]ve| have)? (?:just |recently )*moved (?:out of|away from) ([^.,;!?]+)
\b(?:ich (?:wohne|lebe)|wir (?:wohnen|leben)) (?:\w+ )?nicht mehr (?:in|bei) ([^.,;!?]+)
\bje n['’]habite plus (?:[àa]|en|aux?|dans) ([^.,;!?]+)|\bje ne vis plus (?:[àa]|en|aux?) ([^.,;!?]+)
\bya no viv(?:o|imos) en ([^.,;!?]+)
我(?:们)?(?:已经)?(?:不再?|没)住在?(.{1,12}?)(?:了|[。，,.]|$)
もう(.{1,15}?)には?住んでいません|(.{1,15}?)には?もう住んでいません

# employer
\bI (?:no longer|don['’]?t|do not) work (?:at|for) ([^.,;!?]+)
\bI(?:['’]ve| have)? (?:just |recently )*(?:quit|left|lost|resigned from) my (?:job|position)(?: (?:at|
    with) ([^.,;!?]+))?
\bI(?:['’]ve| have)? (?:was|got|been) (?:laid off|fired|made redundant)\b
\bich arbeite nicht mehr (?:bei|f[üu]r) ([^.,;!?]+)|\bje ne travaille plus (?:chez|pour) ([^.,;!?]+)|
    \bya no trabajo (?:en|para) ([^.,;!?]+)
我(?:已经)?不在(.{1,12}?)(?:工作|上班)了|我(?:辞职|失业)了
"""

INSTRUCTED_TABLE = r"""
# language
^(?!.*\b(?:quote|cite|translate|name|list|sign|mention|greet|titles?)\b).*
    \b(?:in|auf|en|em|to) (?:plain |simple |british |american )?LANGUAGE\b
\bodpowiadaj\b.*\bpo \w+sku\b|отвечай(?:те)?\b.*\bна \w+ском
用(?:中文|英文|英语|法语|德语|日语)|(?:日本語|英語|中国語)で|(?:한국어|영어|일본어)로

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
\bbullet(?:s| points?| lists?)\b

# tables
\b(?:as|avoid|in|no|use|with)(?: a)? tables?\b
"""


def _filled(form: str) -> str:
    for name, words in (("THING", THING), ("OWNED", OWNED), ("NAME", NAME), ("LANGUAGE", LANGUAGE)):
        form = form.replace(name, words)
    return form


PREFERENCES = sections(PREFERENCES_TABLE, _filled)
"""What a preference looks like."""
KIND_FORMS = joined(KINDS_TABLE, _filled)
"""What a fact looks like; what a question and a supposition."""
TOPIC_FORMS = joined(TOPICS_TABLE, _filled)
"""What tells a topic, in any statement."""
ENDS_FORMS = joined(ENDS_TABLE, _filled)
"""What says that something is no longer so: of a topic, in a group what it was; of `my`, the thing and its name."""
INSTRUCTED_FORMS = joined(INSTRUCTED_TABLE, _filled)
"""What tells what an instruction is about."""
