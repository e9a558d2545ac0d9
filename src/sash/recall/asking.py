"""Whether a turn asks for something, by its form alone: small talk finds old turns too, but needs none of them.

Signs are question marks of any script, words that open a question or a request, and particles that end one. Greetings
in the form of a question ("How are you?") ask nothing, nor do links and code. A turn without a sign asks nothing.
A tool run asks by the turn that opens it ("Cancel my order"); the results of its calls answer, whatever they say.
Pure; it knows no conversation, so an answer to a question of Claude's ("The second one") passes for a statement.
"""

from __future__ import annotations

import re

from sash.model.patterns import late

_MARK = late("[?？؟՞⸮፧‽⁇⁈⁉꘏꛷\u037e]|(?<=[\u0370-\u03ff\u1f00-\u1fff]);")
"""Question marks of all scripts; Greek has a semicolon."""
_SILENT = late(r"```.*?(?:```|\Z)|`[^`\n]*`|\b(?:https?://|www\.)\S+", re.DOTALL)
"""Code and links, whose signs ask nothing."""
_END = late(r"[.!…]+(?=\s|$)|[。！;\n¿¡]+")

GREETINGS = """how are you|how are you (?:all )?(?:doing|feeling|today)+|how's it going|how is it going
    |how's everything
    |how do you do|how have you been|how was your day|how's your day(?: going)?|what's up|what's new|you ok|all good
    |wie geht's(?: dir| ihnen| euch)?|wie geht es (?:dir|ihnen|euch)|alles klar|alles gut|na|was geht
    |ça va|comment ça va|comment (?:vas-tu|allez-vous|tu vas|vous allez)|tu vas bien|quoi de neuf
    |qué tal(?: estás| está)?|cómo (?:estás|está|están|te va|va todo)|todo bien|come (?:stai|sta|va)|tutto bene
    |tudo bem|como (?:vai|está|estás|você está)|hoe gaat het(?: met (?:je|jou|u))?|alles goed|jak się masz|co słychać
    |jak leci|как дела|как ты|как вы|как поживаешь|كيف حالك|كيف الحال|你好吗|你好嗎|你怎么样|最近怎么样|吃了吗
    |元気ですか|お元気ですか|元気|잘 지내(?:세요|요|니)?|안녕하세요|안녕|आप कैसे हैं|कैसे हो"""
"""Questions that greet."""

LEAD_IN = r"""and|but|so|ok|okay|well|hey|hi|hello|oh|now|then|also|right|sorry|thanks|thank you|by the way|btw|anyway
    |please|just|one more thing|quick question|question|und|aber|also|ok|hallo|danke|bitte|ach|übrigens|sag mal
    |et|mais|alors|bonjour|salut|merci|pero|entonces|hola|gracias|oye|por favor|ma|allora|ciao|grazie|scusa
    |mas|então|olá|oi|obrigad[oa]|en|maar|dus|hoi|dank je|ale|więc|cześć|dzięki|но|так|привет|спасибо
    |пожалуйста|و|مرحبا|शुक्रिया"""
"""What may stand before the word that asks."""

QUESTIONS = {
    "English": r"""who(?:m|se|'s|'d)?|what(?!\s+an?\b|ever)(?:'s|'re|'d)?|where(?:'s|'d)?|which|why
        |how(?!ever|\s+(?:nice|lovely|sweet|cool|great|wonderful|funny|kind|interesting|exciting|awesome)\b)(?:'s|'d)?
        |when(?:'s|\s+(?:is|was|are|were|do|does|did|will|would|should|can|could|have|has|had)\b)
        |(?:is|are|am|was|were|do|does|did|can|could|will|would|should|shall|may|might|has|had|have)(?:n't)?\s+
        (?:i|you|he|she|it|we|they|there|this|that|these|those|the|my|your|our|his|her|their|its|any|anyone
        |(?-i:[A-Z])\w+)\b
        |(?:in|on|at|to|for|with|from|by|since|of|about|under) (?:what|which|whom|whose|how (?:many|much|long))
        |any (?:ideas?|suggestions?|recommendations?|thoughts|advice|tips|news|chance)|remember (?:when|what
        |who|where)""",
    "German": r"""wer|wen|wem|wessen|was|wann|wo|wohin|woher|womit|wofür|wovon|welche[rsmn]?|warum|wieso|weshalb|wie
        |wie ?viele?|(?:hast|hat|habe|habt|haben|hatte|bin|ist|sind|war|waren|kannst|könntest|können|könnten
        |soll|sollte
        |sollen|darf|weißt|weiss|wissen|erinnerst|gibt|gab|magst|möchtest|wirst|wird|werden)\s+
        (?:ich|du|er|sie|es|wir|ihr|man|mein\w*|dein\w*|der|die|das)\b""",
    "French": r"""qui|que|qu'\w+|quoi|où|quel(?:le)?s?|pourquoi|comment|combien|est-ce|lequel|laquelle
        |quand (?:est|as|a|ai|avons|avez|sont|était|dois|doit)\b|\w+-(?:t-)?(?:je|tu|il|elle|on|nous|vous|ils
        |elles)\b""",
    "Spanish": r"""quién(?:es)?|qué|cuándo|dónde|adónde|cuál(?:es)?|cómo|cuánt[oa]s?|por qué|para qué|a qué|de qué
        |(?:cual|quien|donde|como|cuando) (?:es|era|fue|está)\b""",
    "Italian": r"""chi|che cosa|cosa|che \w+ (?:è|era|ho|hai)|dove|dov'è|qual(?:e|i)?|quant[oaie]|perché non
        |(?:quando|come|perché) (?:è|era|ho|hai|ha|si|mi|ti|posso|devo)\b""",
    "Portuguese": r"""quem|o que|qual|quais|onde|aonde|quant[oa]s?|por que|por quê
        |(?:quando|como) (?:é|era|foi|eu|você|vai|posso|se)\b|que (?:dia|hora|horas|tipo)""",
    "Dutch": r"""wie|wat|wanneer|waar\w*|waarom|hoe|hoeveel|welke?|(?:heb|heeft|hebt|is|zijn|was|kun|kan|kunt
        |weet|mag|moet)
        \s+(?:ik|je|jij|u|hij|zij|ze|we|wij|het|de|mijn)\b""",
    "Polish": r"""kto|kogo|komu|czyj\w*|co|czego|kiedy|gdzie|skąd|dokąd|dlaczego|czemu|jak(?:i|a|ie|iego|iej)?
        |któr(?:y|a|e|zy|ego|ej)|ile|ilu|czy""",
    "Russian": r"""кто|кого|кому|чей|чья|чьё|что|чего|когда|где|куда|откуда|почему|зачем|как|как(?:ой|ая|ое|ие|ую|ого)
        |котор(?:ый|ая|ое|ые)|сколько|\w+ ли""",
    "Arabic": r"""هل|ما|ماذا|متى|أين|اين|من|لماذا|كيف|كم|أي|لمن|بماذا""",
}
"""What opens a question, by language."""

REQUESTS = {
    "English": r"""(?:tell|remind|show|give|send|read|teach|get|find|bring|book|order|write|draft|make|pick) me|remind
        |(?:suggest|recommend|advise|list|show|find|look(?! (?:at|how))|search|check(?! out)|name|explain
        |describe|summari[sz]e|recap|compare
        |calculate|compute|convert|translate|write|draft|compose|rewrite|plan|prepare|create|generate|make
        |build|design
        |help|continue|repeat|recall|retrieve|fetch|open|quote|cite|define|analy[sz]e|review|choose|pick|book|reserve
        |order|reorder|cancel|change|update|move|reschedule|schedule|send|forward|reply|answer|call|email|order
        |buy|pay
        |refund|ship|track|return|add|remove|delete|set|fix|run|use|give|tell|let's (?:see|go over|plan
        |talk about))\b""",
    "German": r"""(?:sag|sage|sagen|nenn|nenne|nennen|zeig|zeige|zeigen|erinner|erinnere|erinnern|erklär
        |erkläre|erklären
        |empfiehl|empfehlen|schlag|schlage|such|suche|suchen|finde|schreib|schreibe|schreiben|gib|geben|hilf
        |helfen|liste
        |beschreib|beschreibe|vergleich|vergleiche|fass|fasse|übersetze|bestell|bestelle|buch|buche|storniere|prüfe
        |berechne|erzähl|erzähle|plane|erstelle|mach|wiederhole)\b""",
    "French": r"""(?:\w+-(?:moi|nous|le|la|les|lui))\b|(?:rappelle|dis|dites|montre|montrez|donne|donnez|explique
        |expliquez|suggère|suggérez|recommande|recommandez|propose|proposez|conseille|cherche|cherchez|trouve|trouvez
        |écris|résume|résumez|compare|décris|liste|aide|traduis|commande|réserve|annule|vérifie|planifie)\b""",
    "Spanish": r"""(?:dime|dígame|recuérdame|recuerda(?:me)?|muéstrame|muestra|dame|explica(?:me)?|explícame|sugiere
        |sugiéreme|recomienda|recomiéndame|busca|encuentra|escribe|resume|compara|describe|lista|ayúdame|traduce|pide
        |reserva|cancela|comprueba|planea|cuéntame)\b""",
    "Italian": r"""(?:dimmi|ricordami|mostrami|mostra|dammi|spiega(?:mi)?|suggerisci(?:mi)?|consiglia(?:mi)?
        |raccomanda(?:mi)?|cerca|trova|scrivi|riassumi|confronta|descrivi|elenca|aiutami|traduci|ordina|prenota
        |annulla|controlla|pianifica|raccontami)\b""",
    "Portuguese": r"""(?:diga-me|me (?:diga|diz|lembre|lembra|mostre|mostra|sugira|recomende|conte|ajude|dê)
        |lembr[ae]-me
        |mostr[ae]|sugira|sugere|recomend[ae]|explique|explica|procure|encontre|escreva|resuma|compare|descreva|liste
        |ajude-me|traduza|peça|reserve|cancele|verifique|planeje)\b""",
    "Dutch": r"""(?:vertel|herinner|zeg|toon|laat|geef|noem|stel|raad|beveel|zoek|vind|schrijf|leg|help|vergelijk
        |beschrijf|vertaal|bestel|boek|annuleer|controleer|plan)\b""",
    "Polish": r"""(?:powiedz|przypomnij|pokaż|podaj|poleć|zaproponuj|doradź|znajdź|wyszukaj|napisz|wyjaśnij|opisz
        |porównaj|streść|wymień|pomóż|przetłumacz|zamów|zarezerwuj|anuluj|sprawdź|zaplanuj|opowiedz)\b""",
    "Russian": r"""(?:скажи|напомни|расскажи|покажи|посоветуй|порекомендуй|предложи|найди|назови|объясни|опиши|сравни
        |напиши|помоги|переведи|закажи|забронируй|отмени|проверь|подскажи|дай)(?:те)?\b""",
    "Arabic": r"""(?:أخبرني|اخبرني|ذكرني|ذكّرني|اقترح|قل لي|أرني|اشرح|أعطني|ابحث|اكتب|لخص|صف|قارن|ترجم|احجز|ألغ
        |انصحني)""",
}
"""What opens a request, by language."""

INSIDE = r"""\b(?:(?:can|could|would|will|won't) you(?! believe)|do you (?:remember|know|recall|think|have)|i wonder
    |i(?:'d| would) (?:like|love) to know|i (?:want|need) to know|i'm looking for|i am looking for
    |i (?:forgot|can't (?:remember|recall)|don't (?:remember|recall|know)) (?:what|when|where|who|which|how|the|my|if)
    |(?:not sure|no idea|unsure) (?:what|when|where|who|which|how|if|whether)|i need (?:some )?(?:help|advice|ideas)
    |(?:which|what|where|who|when) (?:was|is|were|did) [^.!]{1,60} again|let me know (?:what|when|where|who
    |which) (?!you)
    |ich (?:frage mich|weiß nicht(?: mehr)?|weiss nicht(?: mehr)?)|(?:erinner\w*|sag\w*|zeig\w*
    |nenn\w*) (?:mich|mir|uns)\b
    |est-ce que|qu'est-ce|je me demande|(?:peux|pourrais)-tu|(?:pouvez|pourriez)-vous|me pregunto|puedes|podrías
    |mi chiedo|mi (?:puoi|potresti|sai) dire|puoi|potresti|gostaria de saber|você (?:pode|poderia|lembra|sabe)
    |kun je|kunt u|kan je|ik vraag me af|zastanawiam się|możesz|mógłbyś|czy (?:możesz|pamiętasz|wiesz)
    |не (?:помню|знаю),? (?:что|когда|где|кто|как|какой|сколько)|(?:можешь|можете|не подскаж\w+))\b"""
"""Words that ask wherever they stand."""

ANYWHERE = r"""(?:请|請|麻烦|麻煩)?
    (?:告诉我|告訴我|提醒我|推荐|推薦|建议一|建議一|给我|給我|帮我|幫我|列出|总结|總結)
    |什么(?!都)(?<!没什么)|什麼(?!都)(?<!沒什麼)|哪(?:里|裡|儿|个|個|些|位|一|天|种|種|年)|谁|誰(?!か|も)|多少|几[个点号岁年月天次]|幾[個點號歲]
    |怎么|怎麼|怎样|如何|为什么|為什麼|何时|何時|是不是|有没有|能不能|可不可以|会不会|要不要|记不记得
    |何(?![か時もと])(?:です|を|が|の|で|に|歳|曜|月|年|人|個|番)|いつ(?![もか])|どこ(?![かも])|いくら(?!でも)|いくつ|なぜ|どうして
    |どう(?:すれば|やって|思い|です|でし|したら)|どれ(?![もだか])|どの(?!よう)|どんな|どちら
    |教えて|思い出させて|おすすめ|お勧め|提案して|見せて|探して|まとめて|書いて|調べて|(?:て|で)(?:ください|くれ|くれる|もらえ|ほしい)
    |누구|누가|언제|어디|무엇|무슨|뭐(?!든)|뭘|왜(?!냐)|어떻게|얼마|몇 ?[개시명번살월일]|어느|어떤
    |알려 ?(?:줘|주)|말해 ?(?:줘|주)|보여 ?(?:줘|주)|추천|제안해|기억나게|찾아 ?(?:줘|주)|설명해|요약해
    |क्या|कौन|कब |कहाँ|कहां|क्यों|कैसे|कितन[ाेी]|किस|बताओ|बताइए|बताएं|दिखाओ|समझाओ|सुझाओ|याद दिलाओ"""
"""The same in scripts where no border of a word is asked for."""

ENDS = r"""(?:[吗嗎呢吧]|で(?:す|し(?:ょう|た))か|ますか|ましたか|んですか|だっけ|でしたっけ|かな
    |(?:습니|입니|습|ㅂ니|을|ㄹ)까요?|나요|가요|니|는지(?: 알아)?|ли)\s*$"""
"""Particles by which a sentence ends as a question."""


def _pattern(words: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    """A table as one pattern: its line breaks with their indentation are none of it."""
    return late(re.sub(r"\n\s*", "", words), flags)


_GREETING = _pattern(rf"(?:{GREETINGS})\W*")
_LEAD_IN = _pattern(rf"\W*(?:(?:{LEAD_IN})(?!\w)\W*|\w+,\s+)*")
_OPENS = _pattern(rf"(?:{'|'.join((*QUESTIONS.values(), *REQUESTS.values()))})(?!\w)")
_INSIDE, _BEYOND_ASCII = _pattern(INSIDE), _pattern(rf"{ANYWHERE}|{ENDS}")
_INSIDE_SMALL = _pattern(INSIDE, 0)
"""For ASCII in small letters, as most sentences are or can be made: found several times as fast."""


def asks(text: str) -> bool:
    """Whether a turn with this text asks a question, or for something to be done."""
    marked = _MARK.sub("?\n", _SILENT.sub(" ", text.replace("’", "'")))
    return any(map(_asks, _END.split(marked)))


def _asks(sentence: str) -> bool:
    """Whether one sentence does; a question mark stands at its end."""
    said = sentence[_lead_in(sentence) :]
    if _GREETING.fullmatch(said):
        return False
    if said.endswith("?") or _OPENS.match(said):
        return True
    if sentence.isascii():
        return bool(_INSIDE_SMALL.search(sentence.lower()))
    return bool(_INSIDE.search(sentence) or _BEYOND_ASCII.search(sentence))


def _lead_in(sentence: str) -> int:
    """Characters before the word that could ask."""
    found = _LEAD_IN.match(sentence)
    return found.end() if found else 0
