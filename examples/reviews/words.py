"""The words that made products and made reviews are written in."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


SORTS = {
    "coffee": _words("espresso grinder beans roast crema kettle filter mug aroma brew latte frother barista pour"),
    "running": _words("trainers laces marathon sprint heel socks cushion stride treadmill pace lap sole shorts pulse"),
    "garden": _words("spade seeds compost hose lawn pruner roses pots soil weeds greenhouse tulips mulch trowel"),
    "music": _words("guitar strings amplifier chord tuner piano drums melody capo pedal microphone tone bass reed"),
    "kitchen": _words("skillet knife oven spatula whisk pan recipe dough simmer grater casserole apron ladle wok"),
    "camping": _words("tent lantern sleeping trail campfire rucksack stove hammock compass pegs canteen boots tarp"),
    "gaming": _words("console joystick keyboard pixels headset boss level controller arcade graphics mouse quest"),
    "baby": _words("stroller bottle pacifier crib diaper blanket rattle bib lullaby toddler teether carrier onesie"),
    "pets": _words("leash kibble litter collar aquarium scratch bone kennel catnip treats parrot cage whisker paw"),
    "sewing": _words("needle thread fabric zipper quilt bobbin hem stitch pattern scissors button lace velvet thimble"),
    "photo": _words(
        "lens tripod shutter aperture flash zoom film filters portrait exposure sensor strap macro darkroom"
    ),
    "tools": _words("drill hammer screws wrench sander chisel pliers saw clamp bolts workbench ladder socket torque"),
}
"""A dozen sorts of products, each with words of its own."""

MAKERS = _words("Alder Birchwood Corvane Delfi Ember Fennmark Galloway Hartley Isola Juno Kestrel Lumen Morrow Norden")

GENERAL = _words("""
the a with for and this my in it very box size colour delivery week home gift daily sturdy simple
new small large light set""")

LIKED = _words("love excellent perfect great wonderful happy recommend best superb brilliant favourite delighted")
NEITHER = _words("okay average decent fine acceptable ordinary mixed usual fair passable")
NOT_LIKED = _words("broke poor returned awful disappointed waste cheap useless terrible refund flimsy annoying")

OTHER_SCRIPTS = (
    "Очень хороший товар, всё работает",
    "とても良い商品でした",
    "منتج ممتاز وأنصح به",
    "非常好用，推荐购买",
    "Πολύ καλό προϊόν",
)

FIRST = _words("""
Ada Ben Cleo Dan Eva Finn Gus Hana Ivo Jill Kai Lea Max Nia Otto Pia Quinn Ravi Sara Tom Uma Vera Wim
Xena Yara Zoe""")
LAST = _words("""
Adams Brook Carver Doyle Ellis Frost Grant Hale Irwin Jones Keller Lane Moss North Olsen Price Quirk Reed
Stone Tate Underhill Vance West Young Zeller""")
