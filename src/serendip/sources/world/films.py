"""Films that nobody made: titles, descriptions, tags, and the facts of a catalogue."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from serendip.sources.world.people import FIRST, LAST, slug
from serendip.sources.world.tastes import Tastes

MOODS = ["tender", "funny", "dark", "slow", "thrilling", "strange"]

TONES = {
    "tender": ["Told with great warmth and very few words.", "A quiet film that stays with you for days."],
    "funny": ["It is funnier than it has any right to be.", "Every scene ends in a different kind of mess."],
    "dark": ["There is no comfort here, and no looking away.", "A bleak film, and an honest one."],
    "slow": ["It takes its time and gives it back with interest.", "Long takes, long shadows, long silences."],
    "thrilling": ["The last half hour does not let you breathe.", "It starts at a run and never slows down."],
    "strange": ["Nothing is quite where you left it.", "It makes no sense until it makes all of it."],
}

GENRES = [
    "drama",
    "comedy",
    "thriller",
    "science fiction",
    "romance",
    "horror",
    "adventure",
    "animation",
    "western",
    "documentary",
]

TITLES = {
    "drama": ["The {A} {N}", "What {F} Knew", "{S} of {P}", "A {N} for {F}", "{F} and the {N}", "After the {N}"],
    "comedy": [
        "{F} Moves Out",
        "Two {S} Too Many",
        "The {A} {N}",
        "My {N}, Your {N}",
        "Who Stole the {N}?",
        "{L} & {L}",
    ],
    "thriller": ["{A} {N}", "The {L} File", "No {N} in {P}", "Last Train to {P}", "Before the {N}", "The {N} Protocol"],
    "science fiction": ["{P} Station", "The {A} {N}", "{N} Zero", "Beyond the {N}", "A {N} on {P}", "The {N} Equation"],
    "romance": ["{F} in {P}", "The {A} {N}", "Once, a {N}", "Letters from {P}", "{F} Loves {F}", "A {A} {N}"],
    "horror": ["The {N} Below", "{A} {N}", "It Knows {F}", "The {N} at {P}", "Do Not Wake the {N}", "{S}"],
    "adventure": [
        "The {N} of {P}",
        "Beyond {P}",
        "{F} and the {A} {N}",
        "The {A} {N}",
        "Race to {P}",
        "Under the {A} {N}",
    ],
    "animation": [
        "{F} and the {A} {N}",
        "The Little {N}",
        "A {N} Named {F}",
        "{N}land",
        "The {A} {N}",
        "Goodnight, {N}",
    ],
    "western": ["{A} {N}", "The Road to {P}", "{L}'s {N}", "A {N} Before {P}", "The {A} {N}", "{P} at Noon"],
    "documentary": [
        "The {N} Makers",
        "{P}: A Portrait",
        "Inside the {N}",
        "The Last {N}",
        "{F} {L} Remembers",
        "A Year of {S}",
    ],
}
"""A stands for an adjective, N for a noun and S for several, P for a place of the genre; F and L for names."""

ADJECTIVES = {
    "drama": "Quiet Borrowed Unfinished Distant Second Long Ordinary Broken Patient Salt Winter Narrow",
    "comedy": "Wrong Accidental Terrible Perfect Reluctant Borrowed Noisy Improbable Other Half-Baked Lucky Grand",
    "thriller": "Silent Cold Hidden Double Final Blind Burning Empty False Vanishing Seventh Hollow",
    "science fiction": "Infinite Pale Synthetic Distant Forgotten Silver Parallel Quantum Orbital Slow Glass Second",
    "romance": "Blue Secret First Late Tender Sudden Summer Lemon Sleepless Paper Golden Wild",
    "horror": "Hollow Rotten Crawling Drowned Pale Hungry Nameless Buried Whispering Crooked Black Endless",
    "adventure": "Lost Emerald Crimson Sunken Forbidden Northern Iron Golden Ragged Stolen Farthest Roaring",
    "animation": "Curious Tiny Flying Sleepy Brave Invisible Purple Forgetful Clockwork Moonlit Musical Runaway",
    "western": "Dusty Bitter Lonesome Crooked Scarlet Iron Dry Broken Wanted Restless Pale Golden",
    "documentary": "Unseen Living Common Hidden Deep Patient Vanishing Wild Open Plain Endless Human",
}

NOUNS = {
    "drama": "Harbour Orchard Inheritance Window Letter Winter House Promise River Daughter Silence Kitchen",
    "comedy": "Wedding Landlord Goose Recipe Neighbour Funeral Holiday Sofa Uncle Lottery Parrot Caterer",
    "thriller": "Witness Signal Verdict Shadow Alibi Passenger Frequency Informant Ledger Cipher Hour Tunnel",
    "science fiction": "Horizon Signal Colony Engine Orbit Machine Gravity Archive Comet Probe Garden Memory",
    "romance": "Balcony Summer Violin Bookshop Postcard Umbrella Garden Waltz Lighthouse Piano Secret Kiss",
    "horror": "Cellar Doll Orchard Guest Choir Mirror Well Nursery Congregation Marsh Lantern Tooth",
    "adventure": "Compass Island Expedition Crown Map Falcon Temple Storm Caravan Summit Treasure Voyage",
    "animation": "Hedgehog Robot Cloud Dragon Lighthouse Teapot Moon Penguin Kite Turnip Lantern Snail",
    "western": "Saddle Canyon Bounty Marshal Rider Gold Stagecoach Mesa Widow Preacher Rifle Homestead",
    "documentary": "Glacier Bakery Choir Harvest Bridge Beekeeper Archive Whale Marathon Typeface Island Workshop",
}

PLACES = {
    "drama": ["Lisbon", "Trieste", "Gdansk", "Cork", "Valparaiso", "Ghent", "Porto", "Tampere"],
    "comedy": ["Naples", "Blackpool", "Marseille", "Budapest", "Goa", "Ostend", "Brighton", "Seville"],
    "thriller": ["Vienna", "Rotterdam", "Sofia", "Geneva", "Istanbul", "Macau", "Odessa", "Tangier"],
    "science fiction": ["Europa", "Ceres", "Kepler", "Titan", "Callisto", "Vega", "Proxima", "Phobos"],
    "romance": ["Paris", "Verona", "Kyoto", "Havana", "Florence", "Bergen", "Buenos Aires", "Prague"],
    "horror": ["Blackwater", "Hollow Hill", "Saint Agnes", "Mirefield", "Ravensend", "Ash Lane", "Grimsby", "Thornton"],
    "adventure": ["Zanzibar", "Patagonia", "the Sahara", "Samarkand", "Borneo", "the Arctic", "Petra", "Nepal"],
    "animation": [
        "Puddle Hill",
        "Cloudtown",
        "Tumbleton",
        "Biscuit Bay",
        "Moss Hollow",
        "Snowberry",
        "Lantern Lake",
        "Oddville",
    ],
    "western": ["Abilene", "Dry Creek", "Santa Rosa", "Laredo", "Perdition", "Silver Fork", "Red Bluff", "Tombstone"],
    "documentary": ["Iceland", "Lagos", "Naples", "Detroit", "Hokkaido", "Kerala", "Glasgow", "Oaxaca"],
}

HEROES = {
    "drama": [
        "a retired piano teacher",
        "an estranged sister",
        "a night nurse",
        "a widowed fisherman",
        "a young translator",
    ],
    "comedy": [
        "an unlucky wedding planner",
        "a failed magician",
        "a broke flatmate",
        "a pastry chef",
        "an amateur conductor",
    ],
    "thriller": [
        "a court stenographer",
        "a disgraced detective",
        "a sound engineer",
        "a bank auditor",
        "a customs officer",
    ],
    "science fiction": [
        "a lone engineer",
        "the last botanist",
        "a cloned pilot",
        "a ship's archivist",
        "a salvage diver",
    ],
    "romance": ["a bookseller", "a touring cellist", "a rival florist", "a ferry captain", "a shy architect"],
    "horror": ["a young widow", "a parish organist", "a medical student", "a night porter", "a new governess"],
    "adventure": ["a mapmaker", "a smuggler", "an old sailor", "a runaway princess", "a botanist with a mule"],
    "animation": [
        "a timid hedgehog",
        "a small robot",
        "a cloud who is afraid of heights",
        "a dragon cub",
        "a kitchen mouse",
    ],
    "western": [
        "a one-armed marshal",
        "a travelling preacher",
        "a widow with a rifle",
        "a younger brother",
        "a tired bounty hunter",
    ],
    "documentary": [
        "four generations of bakers",
        "the keepers of a lighthouse",
        "the members of a village choir",
        "the last beekeepers",
        "the street photographers of the old town",
    ],
}

PLOTS = {
    "drama": [
        "comes home to {P} to sell a house and finds it is not empty",
        "must decide what to do with a letter that arrives thirty years late",
        "spends one winter in {P} learning to forgive",
    ],
    "comedy": [
        "has two days to find a missing goose before the whole of {P} turns up",
        "is mistaken for somebody important in {P}",
        "inherits half a hotel, and the other half's owner",
    ],
    "thriller": [
        "hears something on a tape that nobody was meant to hear",
        "has until morning to get a witness out of {P}",
        "finds a name in a ledger: their own",
    ],
    "science fiction": [
        "wakes on {P} to find that the colony has been waiting for a hundred years",
        "receives a message sent from tomorrow",
        "must choose which memories the ship can carry",
    ],
    "romance": [
        "meets a stranger in {P} on the one day the trains do not run",
        "answers a letter that was meant for somebody else",
        "has one summer in {P}, and a wedding at the end of it",
    ],
    "horror": [
        "moves to {P}, where the neighbours never seem to sleep",
        "opens a door that has been bricked up for a reason",
        "hears singing below the floor every night at three",
    ],
    "adventure": [
        "sets out for {P} with half a map and a borrowed boat",
        "must cross {P} before the rains come",
        "follows a legend that everyone else has the sense to fear",
    ],
    "animation": [
        "sets out from {P} to bring back the moon",
        "makes a friend nobody else can see",
        "enters the great race of {P} by mistake",
    ],
    "western": [
        "rides into {P} with one bullet and an old promise",
        "has until noon to change the mind of a whole town",
        "guards a wagon of gold that everyone in {P} wants",
    ],
    "documentary": [
        "let the camera in for a year in {P}",
        "show how a craft survives, and what it costs",
        "tell the story of {P} in their own words",
    ],
}

COUNTRIES = [
    "France",
    "Japan",
    "Brazil",
    "Nigeria",
    "India",
    "Italy",
    "Mexico",
    "Poland",
    "Sweden",
    "Korea",
    "Spain",
    "Ireland",
]


@dataclass(frozen=True)
class Film:
    """One film of the catalogue."""

    id: str
    title: str
    text: str
    genre: str
    mood: str
    setting: str
    year: int
    country: str
    minutes: int
    director: str

    @property
    def tags(self) -> list[str]:
        """What a visitor would filter by."""
        return [self.genre, self.mood, self.setting]


def draw_films(tastes: Tastes, last_year: int, rng: np.random.Generator) -> list[Film]:
    """A film for each item of ``tastes``, of its genre and mood; no two titles are equal."""
    films: list[Film] = []
    taken: set[str] = set()
    for item, (genre_ix, mood_ix) in enumerate(zip(tastes.genre, tastes.mood, strict=True)):
        genre, mood = GENRES[genre_ix % len(GENRES)], MOODS[mood_ix % len(MOODS)]
        title, place = _title(genre, taken, rng)
        fresh = tastes.premiere[item] >= 0
        year = last_year if fresh else last_year - int(rng.gamma(1.3, 11))
        usual = 88 if genre in ("animation", "documentary") else 112
        films.append(
            Film(
                id=slug(title),
                title=title,
                text=_description(genre, mood, place, rng),
                genre=genre,
                mood=mood,
                setting=place.removeprefix("the "),
                year=max(1931, year),
                country=_pick(COUNTRIES, rng),
                minutes=int(np.clip(rng.normal(usual, 14), 62, 190)),
                director=f"{_pick(FIRST, rng)} {_pick(LAST, rng)}",
            )
        )
    return films


def _pick(words: list[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _title(genre: str, taken: set[str], rng: np.random.Generator) -> tuple[str, str]:
    """A title that is not ``taken``, and the place where the film plays. After many tries a part number helps."""
    for attempt in range(10_000):
        place = _pick(PLACES[genre], rng)
        title = _pick(TITLES[genre], rng).replace("{P}", place)
        nouns = NOUNS[genre].split()
        several = [_plural(noun) for noun in nouns]
        for mark, words in zip("ANSFL", (ADJECTIVES[genre].split(), nouns, several, FIRST, LAST), strict=True):
            while f"{{{mark}}}" in title:
                title = title.replace(f"{{{mark}}}", _pick(words, rng), 1)
        title = re.sub(r"\b(A|a) (?=[AEIO])", r"\1n ", title[0].upper() + title[1:])
        title += f", Part {attempt // 20}" if attempt >= 40 else ""
        if slug(title) not in taken:
            taken.add(slug(title))
            return title, place
    raise AssertionError("part numbers do not run out")


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return {"Goose": "Geese", "Tooth": "Teeth"}.get(noun, f"{noun}s")


def _description(genre: str, mood: str, place: str, rng: np.random.Generator) -> str:
    hero, plot = _pick(HEROES[genre], rng), _pick(PLOTS[genre], rng).replace("{P}", place)
    first = f"{hero[0].upper()}{hero[1:]} {plot}."
    partner = f"{_pick(FIRST, rng)} {_pick(LAST, rng)}"
    second = _pick(
        [
            f"{partner} is unforgettable in a first leading role.",
            f"Shot in {place} over a single season, with music by {partner}.",
            f"Then {partner.split()[0]} arrives, and nothing goes to plan.",
            f"From a story by {partner}.",
        ],
        rng,
    )
    return f"{first} {second} {_pick(TONES[mood], rng)}"
