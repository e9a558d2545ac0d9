"""The forms in which users give standing instructions, as a table (see `sash.model.patterns`).

LEAD stands for words that may come before an order ("and please, ..."), VERB for what an assistant can be told to do,
MANNER for what an order about manner speaks of. Which words of whom are looked at is decided in `instructions`.
"""

from __future__ import annotations

from sash.model.patterns import sections

LEAD = (
    r"^(?:(?:and|also|so|but|then|ok(?:ay)?|oh|hey|hi|hello|thanks|thank you|please|btw|by the way|one more thing|"
    r"another thing|again|first|second|finally|just|claude|great|good|right|well|yes|no|ps|p\.s|reminder|instead|"
    r"additionally|furthermore)\b[\s,.:;!–—-]*)*"
)
VERB = (
    r"(?:answer|reply|respond|write|use|include|add|give|show|format|explain|keep|start|begin|end|finish|call|tell|ask|"
    r"mention|list|convert|translate|provide|say|avoid|skip|cite|quote|put|return|send|remind|check|confirm|sign|speak|"
    r"talk|address|assume|refer|round|sort|number|spell|summari[sz]e|limit|wrap|prefix|label|treat|follow|stick|stop|"
    r"leave|make|be|do|let|present|offer|state|prefer|highlight|describe|name|warn|double-check|remember|mark|attach)"
)
MANNER = (
    r"(?:answers?|repl(?:y|ies)|responses?|explanations?|summar(?:y|ies)|messages?|outputs?|sentences?|examples?|tone|"
    r"style|language|format(?:ting)?|code|comments?|jargon|emojis?|bullet|lists?|tables?|units?|spelling|you\b|your)"
)

TABLE = r"""
# always and never, as an order
| always, never
LEADalways\b(?!\s+(?:a|the|been|was|is|were|nice|good|great|happy|glad|fun|here|there|wanted|loved|in|on|been|so|worth)\b)
LEADnever\b(?!\s+(?:mind|heard|seen|been|had|thought|again|knew|got|did|was|were|would|will|could|a|the|saw|came|went|made|
    found|felt|took|said|told|met|gave|ate|too|fails|gets|\w+ed)\b)
\b(?:please|you (?:must|should|shall|have to|need to|are to)|make sure(?: that)? you|be sure to|
    make sure to|want you to|like you to|need you to|expect you to|ask you to|(?:can|could|would|will) you(?: please)?)
    \s+(?:always|never)\b
,\s*(?:please\s+|then\s+)?(?:always|never)\s+VERB\b

# what follows from what was said, and what must be
| so, hence, therefore, you must, you are, you shall, you may
,\s*(?:and\s+)?(?:so|hence|therefore),?\s+(?:please\s+)?
    (?:(?:do not|don['’]?t|never|always|only)\s+VERB\b|(?:avoid|skip|leave out)\s\w|no\s+\w+)
\byou (?:must|are to|are not to|shall|may not|must not|mustn't)\s+(?:only\s+|not\s+)?
    (?!be\s+(?!brief|short|polite|formal|concise)|let\b|keep (?:at|up|on|going)\b)VERB\b

# from now on
| now on, here on, this point on, today on, going forward, for the rest of, until i, until further, as of now, future,
    default, in general, unless i, under no, no matter, at all times
\b(?:from (?:now|here|this point|today) on(?:wards?)?|going forward|for the rest of (?:this|our|the) (?:chat|talk|
    conversation|session|project|thread)|until (?:I (?:say|tell)|further notice)|as of now)
    (?!,?\s*(?:I|he|she|they|we|it)\b(?!\s+(?:want|need|prefer|expect|would|'d)\b))
^(?:in (?:the )?future|by default|in general),?\s+(?:please\s+)?(?:always\s+|never\s+|don't\s+|do not\s+|only\s+)?VERB\b
\bunless I (?:say|ask|tell|request|specify|state)|\bunder no circumstances?\b|\bno matter what I\b|\bat all times\b

# when I ask
| when i, when we, when someone, when anyone, when a user, whenever, if i, if we, if someone, if anyone, if a user,
    time i, time we, time someone, time anyone, time a user
\b(?:when(?:ever)?|if|every ?time|each time|any ?time) (?:I|someone|anyone|a user|we)\b[^,]{1,120},\s*
    (?:please\s+|then\s+|just\s+|you (?:should|must)\s+|do not\s+|don't\s+)*VERB\b(?!\s+me\s+(?:a|an|the)\b)
LEADVERB\b.*\b(?:when(?:ever)?|every time|each time|any ?time) (?:I|we)
    (?:'m|\s+(?:am|ask|say|mention|request|write|send|type|want|share|talk|report|describe|give))\b

# prohibitions
LEAD(?:do not|don['’]?t|dont)\s+(?:ever\s+)?(?!worry|mind|know|think|get me|bother|hesitate|you\b|have|feel|want|like|
    be (?:sad|afraid|shy|so|hard)|need|really|even|see|understand|remember|we\b|they\b|believe|laugh|let|give up|miss|
    stop|quit|wait|forget|panic|stress|beat|sweat|ask me (?:why|how))\w+
LEADstop \w+ing\b
LEAD(?:avoid|refrain from)\b
LEADno (?:more )?(?!problem|worr|idea|thank|way|wonder|doubt|one|need|matter|kidding|rush|clue|luck|big|pressure|
    longer|news|time|sign|reply)(?:\w+ ){0,4}\w+(?:,? please)?[.!]?$

# manner
LEAD(?:only|exclusively) VERB\b|LEADVERB(?: \w+){0,2} only\b
LEADkeep (?:(?:your|the|all|every|each)(?: \w+){0,2} )?MANNER
LEADkeep (?:it|things) (?:short|brief|simple|concise|formal|informal|casual|professional|polite|clean)
LEAD(?:answer|reply|respond|speak|talk|write)(?: to me| back| everything| all \w+| your \w+| me)?
    \s(?:in|with|using|as|like|only|briefly|concisely|without)\b
    (?! (?:a|an) (?:poem|story|song|function|program|script|letter|mail|email|essay))
LEADuse (?:\S+ ){0,4}(?:units?|spelling|notation|tone|currency|instead of|throughout|for (?:all|every|any)|
    in (?:all|every|your))\b
LEADstick (?:to|with)\b|LEADbe (?:brief|concise|short|polite|formal|informal|direct|honest|specific)\b

# names
LEAD(?:you (?:can|may|should) )?(?:call|address) (?:me|us|him|her|them|it|my \w+)\b
    (?! (?:tomorrow|later|back|when|at|on|if|maybe|crazy|old))
LEADrefer to \S+(?: \S+){0,3} as\b

# wishes
| want, need, like, expect, prefer, rather have, insist on, rule, request, instruction
\bI(?:['’]d)?\s+(?:really\s+|would\s+)?(?:want|need|like|expect|prefer)\s+you\s+(?:not to|to\s+(?:keep|stop|remember|
    answer|reply|respond|use|speak|avoid|treat|stick|only|be|address|call|refer|sign))\b
\bI(?:['’]d| would)?\s+(?:always |really |strongly )?(?:prefer|rather have|insist on)\s+(?:\w+[ -]){0,4}MANNER
\bmy (?:standing )?(?:preference|rule|request|instruction)s? (?:is|are)\b.*\bVERB\b

# what the user is, eats and bears
| vegetarian, vegan, pescatarian, intoleran, celiac, coeliac, diabetic, allerg, teetotal, blind, dyslexic, eat, drink,
    again
\bI(?:['’]?m| am)\s+(?:\w+ly\s+|an?\s+|now\s+|also\s+|still\s+|not\s+|no longer\s+)*
    (?:vegetarian|vegan|pescatarian|lactose[- ]intolerant|gluten[- ]intolerant|intolerant (?:to|of)|coeliac|celiac|
    diabetic|allergic to|teetotal|colou?r[- ]?blind|dyslexic)\b
\bI(?:['’]?ve| have)(?: got)?\s+(?:an?\s+)?(?:\w+\s+){0,2}(?:allergy|allergies|intolerance)\b
\bI\s+(?:only\s+eat|(?:do not|don['’]?t|never|cannot|can['’]?t)\s+(?:eat|drink)
    (?!\s+(?:out|much|it|that|this|there|here|at|together|before|after|now|yet|alone|in|with|on|anymore|again)\b)|
    (?:only\s+)?eat\s+(?:kosher|halal|vegan))\b
\bI(?:['’]?m| am)? (?:\w+ )?(?:eat(?:ing)?|drink(?:ing)?) (?:\w+ ){1,3}again\b
\byou (?:can|may) (?:\w+ ){1,6}again\b

# to be remembered
LEAD(?:remember|keep in mind|bear in mind|don['’]?t forget|do not forget|make a note|take note|note)\b:?,?\s+
    (?:that (?!time|day|one)|this\b|to VERB|I\b|I['’]|my|we|our|the user|not to|never|always)
^(?:important|note|nb|n\.b|fyi|for the record|please note|attention)\s*[:!–—-]
^(?:standing )?(?:instruction|rule|constraint|requirement|guideline|policy|preference)s?(?: (?:no\.? )?\d+)?\s*:

# constraints
| must, shall, may, should
\b(?:all|every|each|any|no|your MANNER)\s(?:\S+\s){0,5}(?:must|shall|(?:may|should)(?= (?:not|never|always|only)))
    \s(?:not |never |always |only )?(?:be|have|include|contain|exceed|use|start|end|stay|come|go)\b

# German
| immer, nie, bitte, nenn, jetzt, sofort, heute, von nun an, in zukunft, nftig, nur, stets, antworte, schreib, sprich,
    sprechen, ich bin, ich habe
^(?:bitte\s+)?(?:immer|niemals|nie)\b|\bbitte (?:immer|nie|niemals|nur)\b|\bnenn(?:e|en sie)? mich\b
\b(?:ab (?:jetzt|sofort|heute)|von nun an|in zukunft|k[üu]nftig)\b(?! (?:werde|will|gehe|mache) ich)
\b(?:antworten?|schreiben?|benutzen?|verwenden?)(?: sie)?\b[^.]*\b(?:immer|niemals|nur|stets)\b

^(?:bitte\s+)?(?:antworten?|schreib\w*|sprich|sprechen)(?: sie)?(?: mir)?(?: bitte)? (?:auf|in)\b
\bich (?:bin|habe)\s+(?:\w+\s+){0,2}(?:vegetarier(?:in)?|veganer(?:in)?|allergisch|\w*allergie)\b

# French
| sormais, navant, partir de maintenant, appel, toujours, jamais, pond, cris, parle, je suis
\b(?:d[ée]sormais|dor[ée]navant|[àa] partir de maintenant)\b|\bappele?l?(?:e|ez)[- ]moi\b
^(?:s'il (?:te|vous) pla[iî]t,? )?(?:ne )?(?:r[ée]pond|[ée]cri|utilise|[ée]vite|parle)\w{0,4}\b[^.]*
    \b(?:toujours|jamais)\b

^(?:s'il (?:te|vous) pla[iî]t,? )?(?:r[ée]ponds?|[ée]cris|parle)(?:[- ]moi)? en\b
\bje suis (?:\w+ )?(?:v[ée]g[ée]tari(?:en|enne)|v[ée]gan|allergique)\b

# Spanish, Italian, Portuguese, Dutch
| respond, ndeme, rispondi, vegetari, vegan, rgi, ahora, ora in poi, agora, vanaf nu, voortaan, mame, chiamami, chame,
    noem me, siempre, nunca, sempre, mai, altijd, nooit
^(?:por favor,? |per favore,? )?(?:responde|resp[óo]ndeme|rispondi(?:mi)?|responda)(?: siempre| sempre)? (?:en|in|em)\b
\b(?:soy|sono|sou|ik ben) (?:\w+ )?(?:vegetarian[oa]|vegan[oa]|al[ée]rgic[oa]|allergic[oa]|
    vegetari[ëe]r|veganist|allergisch)\b
\b(?:de ahora en adelante|a partir de ahora|d'ora in poi|da ora in poi|de agora em diante|a partir de agora|
    vanaf nu|voortaan)\b
\b(?:ll[áa]mame|chiamami|me chame|chame-me|noem me)\b
^(?:por favor,? |per favore,? )?(?:siempre|nunca|sempre|mai|altijd|nooit)\b

# Polish, Russian
| zawsze, nigdy, od teraz, nazywaj, odpowiadaj, jestem, mam alergi, всегда, никогда, впредь, отныне, момента,
    сегодняшнего, меня, отвечай, пиши, говори, вегетариан, веган
^(?:prosz[ęe],? )?(?:zawsze|nigdy)\b|\bod teraz\b|\bnazywaj mnie\b|^(?:prosz[ęe],? )?odpowiadaj\b
\b(?:jestem (?:\w+ )?(?:wegetarian\w+|wegan\w+|uczulon[ya])|mam alergi[ęe])\b
^(?:пожалуйста,? )?(?:всегда|никогда)\b|\b(?:впредь|отныне|с этого момента|с сегодняшнего дня)\b
\b(?:называй|зови)(?:те)? меня\b
^(?:пожалуйста,? )?(?:отвечай|пиши|говори)(?:те)?(?: мне)?(?: всегда)? (?:на|по|кратко|коротко|без)
\bя (?:\w+ )?(?:вегетариан\w+|веган\w*)\b|\bу меня (?:\w+ )?аллергия\b

# Arabic, Hindi
| من الآن, دائم, أبد, نادني, نباتي, حساسية, हमेशा, अब से, कभी, शाकाहारी, एलर्जी, मुझे
من الآن (?:فصاعدا|فصاعدًا)
(?:^|\s)(?:دائما|دائمًا)(?:\s|$)
(?:^|\s)(?:أبدا|أبدًا)(?:\s|[.!،]|$)
نادني|(?:أنا|انا) نباتي|لدي حساسية|عندي حساسية
हमेशा|अब से|कभी (?:भी )?(?:न|मत)|शाकाहारी हूँ|एलर्जी है|मुझे \S+ (?:बुलाओ|कहो|बुलाइए)

# Chinese
| 从现在, 以后, 请, 必须, 一定要, 永远, 千万, 叫我, 记住, 我
从现在(?:开始|起)|以后(?:都|请)|(?:请|必须|一定要)(?:总是|始终|一直|永远)|(?:永远|千万|请)不要|叫我|记住|请用[^。]{1,8}回[答复]
我(?:是素食|吃素|不吃|不喝|对[^。]{1,10}过敏)

# Korean
| 앞으로, 항상, 언제나, 절대, 불러, 지금부터, 채식주의자, 알레르기, 못 먹어
앞으로(?:는|도)?\s|(?:항상|언제나|절대로?)\s.*(?:줘|주세요|마|마세요|말아|해라|하세요)|(?:라고|이라고) 불러|지금부터
채식주의자|알레르기가 있|못 먹어

# Japanese
| 今後は, これから, ください, と呼んで, ベジタリアン, 菜食主義, アレルギー, 食べられません, は食べません
今後は|これから(?:は|ずっと)|(?:必ず|常に|いつも)[^。]*ください|(?:しないで|使わないで)ください|と呼んで
私?は?(?:ベジタリアン|菜食主義)|アレルギーがあ|食べられません|は食べません
"""


def _filled(form: str) -> str:
    return form.replace("LEAD", LEAD).replace("VERB", VERB).replace("MANNER", MANNER)


FORMS = sections(TABLE, _filled)
"""What a standing instruction looks like."""
