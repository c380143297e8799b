"""Terms by language: against bm25s and Snowball themselves, and against what each script asks for."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from negbench import letters
from negbench.retrieval import Search, analysis, unanswered
from negbench.retrieval.bm25 import BM25, terms
from negbench.retrieval.okapi import Okapi
from negbench.rng import CounterRNG, keys

TEXTS = {
    "zh": [
        ("如何重置密码", "您可以在设置页面中重置密码，然后重新登录。"),
        ("退款需要多久", "退款一般需要三到五个工作日到账。"),
        ("猫", "黑猫在睡觉。"),
        ("３个手机壳", "每单最多购买3个。"),
    ],
    "ja": [
        ("パスワードの再設定", "設定画面でﾊﾟｽﾜｰﾄﾞを再設定できます。"),
        ("返金はいつ", "返金には五日ほどかかります。"),
        ("犬", "白い犬が走る。"),
    ],
    "ko": [
        ("비밀번호 재설정", "설정에서 비밀번호를 재설정할 수 있습니다."),
        ("물", "찬물을 마신다."),
        ("환불", "환불은 닷새가 걸립니다."),
    ],
    "th": [
        ("คืนเงินใช้เวลากี่วัน", "การคืนเงินใช้เวลาสามวันทำการ"),
        ("เปลี่ยนรหัสผ่าน", "คุณสามารถเปลี่ยนรหัสผ่านได้ในหน้าการตั้งค่า"),
    ],
    "lo": [
        ("ປ່ຽນລະຫັດຜ່ານ", "ທ່ານສາມາດປ່ຽນລະຫັດຜ່ານໄດ້"),
        ("ຄືນເງິນ", "ການຄືນເງິນໃຊ້ເວລາສາມມື້"),
    ],
    "km": [
        ("ប្តូរពាក្យសម្ងាត់", "អ្នកអាចប្តូរពាក្យសម្ងាត់បាន"),
        ("សងប្រាក់វិញ", "ការសងប្រាក់វិញត្រូវការបីថ្ងៃ"),
    ],
    "my": [
        ("စကားဝှက်", "သင့်စကားဝှက်ကိုပြောင်းနိုင်သည်"),
        ("ငွေပြန်", "ငွေပြန်အမ်းရန်သုံးရက်ကြာသည်"),
    ],
    "hi": [
        ("पासवर्ड बदलें", "आप सेटिंग में पासवर्ड बदल सकते हैं"),
        ("धन वापसी", "धन वापसी में तीन दिन लगते हैं"),
    ],
    "ar": [
        ("كلمة المرور", "يمكنك تغيير كَلِمَة المرور"),
        ("استرداد المال", "يستغرق استرداد المال ٣ أيام"),
    ],
}
"""Questions with the answer that holds their words; the other answers share fewer or none."""


def first(part: BM25 | Okapi, pairs: list[tuple[str, str]]) -> list[int]:
    """Return the row of the document ranked first for each query, -1 where there is none."""
    queries, documents = [query for query, _ in pairs], [document for _, document in pairs]
    nothing = np.zeros((len(pairs), 0), np.int32)
    search = Search(
        queries=queries,
        documents=documents,
        query_keys=keys(queries),
        document_keys=keys(documents),
        positives=nothing,
        rng=CounterRNG(0, "made"),
    )
    return [int(row) for row in part.model_copy(update={"depth": 10}).rank(search).documents[:, 0]]


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("named", [False, True])
def test_every_script_finds_its_answers(language: str, named: bool) -> None:
    chosen = BM25.model_validate({"language": language if named else "auto"})
    assert first(chosen, TEXTS[language]) == list(range(len(TEXTS[language])))


@pytest.mark.parametrize("language", ["zh", "ja", "th", "lo", "km", "my"])
def test_okapi_cuts_scripts_without_spaces_too(language: str) -> None:
    pairs = [pair for pair in TEXTS[language] if len(pair[0]) > 3]
    # rank-bm25 gives a term that is in half of the texts no weight, so others stand beside
    others = [("-", f"x{number}") for number in range(9)]
    assert first(Okapi(), [*pairs, *others])[: len(pairs)] == list(range(len(pairs)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ｆｕｌｌ ＷＩＤＴＨ １２３", "full width 123"),
        ("ﬁne ﬂow", "fine flow"),
        ("STRASSE", "Straße"),
        ("ΟΔΟΣ", "οδος"),
        ("İSTANBUL", "istanbul"),
        (unicodedata.normalize("NFD", "café naïve Škoda"), "café naïve Škoda"),
        ("ﾃﾞｰﾀ", "データ"),
        ("१२३ ٤٥٦ ๗๘๙", "123 456 789"),
        ("co\N{SOFT HYPHEN}operate", "cooperate"),
        ("שָׁלוֹם", "שלום"),
        ("العـــربية", "العربية"),
        ("b₁₂", "B12"),
        ("Acme™x", "acme x"),
    ],
)
def test_forms_of_a_letter_are_one(one: str, other: str) -> None:
    assert letters.fold(one) == analysis.fold(other)


def test_accents_make_another_word_and_okapi_may_keep_case() -> None:
    assert letters.fold("Ärger") != analysis.fold("Arger")
    assert letters.fold("Ｂ", case=False) == "B"


def test_terms_of_mixed_scripts_in_order() -> None:
    assert analysis.split("iphone手机3个 α中x̄") == ["iphone", "手", "手机", "机", "3", "个", "α", "中", "x̄"]
    assert analysis.split("iphone手机3个 α中x̄", shortest=2) == ["iphone", "手", "手机", "机", "个", "中"]
    assert analysis.split("ของไทย") == ["ขอ", "อง", "งไ", "ไท", "ทย"]
    assert analysis.split("ภาษานี้") == ["ภา", "าษ", "ษา", "านี้"]  # marks belong to their letter
    assert analysis.parts("a,b手机x-1") == ["a,b", "手", "手机", "机", "x-1"]


@given(st.text(st.characters(categories=["Lu", "Ll", "Nd", "Po", "Zs"], max_codepoint=0x24F)))
def test_latin_text_is_split_as_scikit_learn_does(text: str) -> None:
    folded = letters.fold(text)
    assert analysis.split(folded, 2) == re.findall(r"(?u)\b\w\w+\b", folded)


SENTENCES = {
    "de": "Die Rechnungen werden nach der Bestellung mit der Post verschickt.",
    "fr": "Vous pouvez changer votre mot de passe dans les paramètres de la page.",
    "es": "Puede restablecer su contraseña en la página de configuración y los ajustes.",
    "it": "Puoi reimpostare la password nella pagina delle impostazioni con il telefono.",
    "pt": "Você pode redefinir sua senha na página de configurações que são suas.",
    "nl": "U kunt uw wachtwoord opnieuw instellen op de pagina met de instellingen van ons.",
    "sv": "Du kan återställa ditt lösenord på sidan för inställningar och det är allt.",
    "ru": "Вы можете сбросить пароль на странице настроек, но не на этой и не в письме.",
    "tr": "Bu sayfa ve bu ayarlar için çok daha uzun bir şifre ile ne yapabilirsiniz?",
    "en": "You can reset your password in the settings that are on this page.",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_the_language_is_known_by_its_stop_words_whatever_the_order(language: str) -> None:
    texts = [SENTENCES[language], *(f"{SENTENCES[language]} {number}" for number in range(400)), SENTENCES["en"]]
    assert analysis.language_of(texts) == analysis.language_of(texts[::-1]) == language


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        ([], "en"),
        (["mountain lake"], "en"),
        (["Nike Air Max 90"], "en"),
        (["您可以重置密码"], "none"),
        (["Αθήνα"], "none"),
    ],
)
def test_what_no_stop_word_tells(texts: list[str], language: str) -> None:
    assert analysis.language_of(texts) == language


@pytest.mark.parametrize(
    ("language", "stemmer", "query", "document"),
    [
        ("de", "german", "Häusern", "Haus"),
        ("fr", "french", "continuellement", "continuelle"),
        ("ru", "russian", "книгами", "книга"),
        ("fi", "finnish", "taloissa", "talo"),
        ("el", "greek", "ΑΝΘΡΩΠΟΙ", "άνθρωπος"),
    ],
)
def test_stems_are_snowballs_of_the_language(language: str, stemmer: str, query: str, document: str) -> None:
    snowball = Stemmer.Stemmer(stemmer).stemWord
    assert snowball(query.casefold()) == snowball(document.casefold())  # else the test says nothing
    pairs = [(query, document), ("zzz", "yyy")]
    assert first(BM25.model_validate({"language": language}), pairs) == [0, -1]
    assert first(BM25.model_validate({"language": "none"}), pairs) == [-1, -1]
    assert first(BM25.model_validate({"language": language, "stem": False}), pairs) == [-1, -1]


def test_stop_words_are_those_of_the_language() -> None:
    german = analysis.tokenizer("de", False, [])
    assert len(terms(german, ["die Rechnung und der Hund"], learn=True)[0]) == 2
    english = analysis.tokenizer("en", False, [])
    assert len(terms(english, ["die Rechnung und the Hund x"], learn=True)[0]) == 4


def test_turkish_has_two_letters_i() -> None:
    pairs = [("ISPARTA", "ısparta"), ("İZMİR", "izmir")]
    assert first(BM25(language="tr", stem=False), pairs) == [0, 1]
    assert first(BM25(language="none"), pairs)[0] == -1


def test_queries_that_find_nothing_are_counted() -> None:
    rows = np.array([[3, -1], [-1, -1], [-1, -1]], np.int32)
    assert unanswered(rows, "test") == ["2 of 3 test queries retrieve no document"]
    assert unanswered(rows[:1], "test") == []


@pytest.mark.parametrize("language", ["zh", "ja", "th", "lo", "km", "my"])
def test_icu_finds_words_in_scripts_without_spaces(language: str) -> None:
    pytest.importorskip("icu4py")
    pairs = [pair for pair in TEXTS[language] if len(pair[0]) > 3]
    assert first(BM25(segmenter="icu"), pairs) == list(range(len(pairs)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("退款一般需要三天", ["退款", "一般", "需要", "三天"]),
        ("パスワードを設定する", ["パスワード", "を", "設定", "する"]),
        ("การคืนเงินใช้เวลา", ["การ", "คืน", "เงิน", "ใช้", "เวลา"]),
        ("pay 退款 now", ["pay", "退款", "now"]),
        ("비밀번호", analysis.split("비밀번호")),  # Hangul has spaces between words: as before
    ],
)
def test_the_words_of_icu(text: str, words: list[str]) -> None:
    pytest.importorskip("icu4py")
    from negbench.retrieval.segmenters import icu

    assert analysis.split(letters.fold(text), 1, icu()) == words


def test_a_segmenter_is_part_of_the_identity_alone_where_it_is_chosen() -> None:
    assert "segmenter" not in BM25().identity()["parameters"]
    assert BM25(segmenter="icu").identity()["parameters"]["segmenter"] == "icu"
    assert BM25(segmenter="icu").spelling == "bm25(segmenter=icu)"


@pytest.mark.parametrize(
    ("language", "chosen", "said"),
    [
        ("auto", "en", ""),
        ("none", "none", ""),
        ("auto", "de", "the language is de, recognised by its stop words, with stop words and Snowball stems"),
        ("fi", "fi", "the language is fi, as named, with Snowball stems"),
        ("zh", "zh", "the language is zh, as named, with neither stop words nor stems"),
        ("auto", "none", "no language was recognised"),
    ],
)
def test_the_language_is_told(language: str, chosen: str, said: str) -> None:
    assert analysis.note(language, chosen, stem=True).startswith(said)
    assert bool(analysis.note(language, chosen, stem=True)) == bool(said)
