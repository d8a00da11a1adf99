"""What the made feed is written with: topics with their themes, sentences, places."""

from __future__ import annotations

TOPICS: dict[str, dict[str, str]] = {
    "business": {
        "markets": "shares bonds index traders rally yield futures exchange dividend forecast",
        "companies": "merger profit board factory supplier takeover shareholders payroll brand revenue",
        "energy": "oil gas pipeline refinery barrel turbine tariff grid output reserves",
        "money": "bank loan mortgage inflation deposit currency interest budget savings tax",
    },
    "covid": {
        "vaccines": "vaccine dose trial booster immunity syringe rollout clinic antibody approval",
        "hospitals": "ward ventilator nurses patients beds oxygen surgery ambulance doctors shift",
        "rules": "lockdown mask quarantine curfew passport distancing ban permit gathering border",
        "numbers": "cases infections variant deaths curve peak sample testing surge region",
    },
    "entertainment": {
        "music": "album singer tour concert guitar chart single band festival lyrics",
        "stars": "celebrity wedding gossip interview dress award carpet rumour photographer fans",
        "television": "series episode host finale channel season drama studio ratings script",
        "games": "console level player quest studio controller release patch multiplayer avatar",
    },
    "movie": {
        "comedy": "joke comedian sidekick laughter parody banter wedding misfit punchline sitcom",
        "horror": "ghost cellar scream haunting blood curse monster fog graveyard whisper",
        "action": "chase explosion agent hero villain stunt heist bomb rescue gunfight",
        "art": "director camera silence portrait symbolism festival monologue landscape restoration essay",
    },
    "politics": {
        "elections": "voters ballot campaign poll candidate seat turnout debate landslide recount",
        "parliament": "minister bill amendment coalition opposition committee speaker vote reform hearing",
        "abroad": "summit treaty sanctions embassy envoy alliance border talks ceasefire delegation",
        "local": "mayor council housing road school tram library petition park district",
    },
    "sport": {
        "football": "goal striker league penalty keeper derby coach transfer midfield stadium",
        "tennis": "serve set racket final court seed volley umpire wimbledon forehand",
        "athletics": "sprint medal record marathon relay heat hurdles javelin stadium lap",
        "winter": "ski hockey puck slalom snow biathlon sled arena rink jump",
    },
    "tech": {
        "phones": "handset battery screen camera charger operator network roaming app notification",
        "software": "browser update bug code developer licence server patch interface open",
        "security": "hacker password breach virus phishing encryption leak firewall spam ransom",
        "science": "robot satellite chip laser quantum telescope rocket sensor laboratory algorithm",
    },
}
"""Topic -> theme -> the words of the theme."""

SENTENCES = (
    "The {a} and the {b} were on everybody's lips in {city}.",
    "{name} says the {a} has more to do with the {b} than with the {c}.",
    "After weeks of doubt the {a} is back, and with it the {b}.",
    "Nobody in {city} had expected a {a} like this, least of all {name}.",
    "What comes next for the {b} depends on the {a}, sources told us.",
    "{name} has asked for another {a}; the {c} has to wait.",
    "A {b} without a {a} is hardly a {b} at all.",
    "More {a}, less {c}: that is how {name} puts it.",
    "In {city} the {c} drew a crowd, while the {a} went almost unnoticed.",
    "The {a}, the {b}, the {c}: a short history.",
    "Is the {b} worth the trouble? {name} compared it with the {a}.",
    "It began with a {a} and ended, late at night, with a {c}.",
)
"""Forms of sentences; {a}, {b}, {c} are words of the post's theme."""

NAMES = (
    "Anna Petrova", "Ольга Иванова", "John Barrow", "Mehmet Yılmaz", "Zoë Müller", "Олег Шевченко", "María Núñez",
    "李娜", "Aigerim Bekova", "Ганна Коваль", "Tom Okafor", "Νίκος Παππάς", "Leïla Haddad", "Дмитрий Соколов",
)  # fmt: skip

COUNTRIES: dict[str, tuple[float, tuple[str, ...]]] = {
    "Russia": (0.78, ("Москва", "Санкт-Петербург", "Казань", "Екатеринбург", "Новосибирск", "Самара", "Пермь")),
    "Ukraine": (0.09, ("Київ", "Харків", "Одеса", "Львів")),
    "Belarus": (0.04, ("Мінск", "Гомель")),
    "Kazakhstan": (0.03, ("Алматы", "Астана")),
    "Turkey": (0.02, ("İstanbul", "Ankara", "İzmir")),
    "Finland": (0.02, ("Helsinki", "Tampere")),
    "Azerbaijan": (0.02, ("Bakı",)),
}
"""Country -> the share of users who live there, and its cities, the largest first."""
