"""Names of people from many places, each with an id that can be typed."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import polars as pl

FIRST = """Ada Amara Anders Anouk Antonio Aoife Arjun Astrid Aylin Beatriz Benedek Bilal Bruno Camille Carmen Chen
Chiara
Chloe Dalia Daniel Dario Dina Dmitri Eduardo Eirik Elena Elif Emeka Emma Esther Fatima Felix Femi Finn Flora
Freya Gabriel Giulia Goran Greta Habib Hana Hannah Haruto Hugo Ibrahim Ida Imani Ines Ingrid Isabel Ivan Jack
Jana Jasper Joana Jonas Juan Julia Kaito Karin Kofi Lars Layla Leila Leo Lin Lina Lucia Luka Maja Malik Marco
Mariam Marta Mateo Maya Mei Mila Mina Miriam Mohamed Nadia Naomi Nia Nikolai Nina Noah Noor Nora Olga Omar Oscar
Paula Pavel Pedro Petra Priya Rafael Rania Ravi Rosa Ruben Sakura Salma Samir Sara Sebastian Selin Sofia Soren
Stella Sven Tamar Tariq Teresa Theo Thandi Tomas Uma Valentina Vera Viktor Wanjiru Wei Yara Yasmin Yuki Yusuf
Zainab Zoe""".split()  # noqa: SIM905

LAST = """Abe Abbasi Adeyemi Aguilar Almeida Andersson Arslan Asante Bauer Becker Bello Berg Bianchi Blanc Bondarenko
Byrne Castro Chaudhry Chen Costa Dahl Demir Diallo Dubois Eze Farah Fernandes Ferrari Fischer Flores Fontaine
Fournier Garcia Haddad Hansen Haas Herrera Hoffmann Horvat Hughes Ito Ivanova Jansen Jensen Kamau Kaplan Kaur
Keller Khan Kim Kovacs Kruger Kumar Larsen Laurent Lindgren Lopez Maier Marino Mbeki Mendes Mensah Meyer Moreau
Morgan Moretti Muller Nakamura Ndiaye Nguyen Nilsson Novak Nunez Obi Okafor Oliveira Olsen Osman Otieno Ozturk
Park Patel Pereira Petrov Popescu Quinn Rahman Ramos Reyes Ricci Rossi Sahin Santos Sato Schmidt Schneider Silva
Singh Smit Sorensen Suzuki Svensson Takahashi Tanaka Tran Vargas Varga Vidal Vogel Wagner Walker Weber Weiss
Wilson Wong Yamamoto Yilmaz Zhang Ziegler""".split()  # noqa: SIM905

COUNTRIES = """Argentina
Brazil Canada Denmark France Germany Ghana Hungary India Ireland Italy Japan Kenya Mexico Morocco
Netherlands Nigeria Norway Poland Portugal Senegal Spain Sweden Turkey Vietnam""".split()  # noqa: SIM905


def draw_people(n: int, rng: np.random.Generator) -> pl.DataFrame:
    """Columns id, name, country; nobody is called like another, though the later ones have a number for it."""
    names: dict[str, None] = {}
    while len(names) < n:
        first, last = rng.choice(FIRST, n), rng.choice(LAST, n)
        fresh = [f"{a} {b}" for a, b in zip(first, last, strict=True)]
        round_ = len(names) // (len(FIRST) * len(LAST) // 2)
        names.update(dict.fromkeys(name if not round_ else f"{name} {round_ + 1}" for name in fresh))
    chosen = list(names)[:n]
    return pl.DataFrame({"id": [slug(name) for name in chosen], "name": chosen, "country": rng.choice(COUNTRIES, n)})


def slug(text: str) -> str:
    """A text as an id: small letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
