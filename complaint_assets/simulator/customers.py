"""The customers: where they live, and who the customer with a given number is.

A customer is a pure function of the number, so that millions of them need no memory and stay the same
person on every channel. Names are invented; numbers begin with 082, which no Nigerian operator has been given in
this length, and mail goes to domains that are reserved for examples (RFC 2606), so that they reach nobody.
"""

from itertools import accumulate, pairwise
from random import Random
from typing import NamedTuple

_MASK = (1 << 64) - 1


class City(NamedTuple):
    """A place where customers live; ``names`` is what they call it, ``region`` is ISO 3166-2."""

    name: str
    state: str
    region: str
    share: float
    latitude: float
    longitude: float
    names: tuple[str, ...]


def _city(name: str, state: str, region: str, share: float, where: tuple[float, float], *areas: str) -> City:
    names = (name, name, *areas, *(f"{area}, {name}" for area in areas))
    return City(name, state, region, share, *where, names)


CITIES = (
    _city("Lagos", "Lagos", "NG-LA", 0.15, (6.45, 3.39), "Yaba", "Surulere", "Lagos Island", "Apapa", "Mushin"),
    _city("Ikeja", "Lagos", "NG-LA", 0.07, (6.60, 3.34), "Agege", "Oshodi", "Ogba"),
    _city("Lekki", "Lagos", "NG-LA", 0.06, (6.45, 3.48), "Ajah", "Victoria Island"),
    _city("Ikorodu", "Lagos", "NG-LA", 0.03, (6.60, 3.50)),
    _city("Kano", "Kano", "NG-KN", 0.12, (12.00, 8.52), "Nassarawa GRA", "Sabon Gari"),
    _city("Abuja", "FCT", "NG-FC", 0.08, (9.06, 7.49), "Wuse", "Garki", "Maitama", "Asokoro"),
    _city("Gwagwalada", "FCT", "NG-FC", 0.02, (8.94, 7.08)),
    _city("Port Harcourt", "Rivers", "NG-RI", 0.07, (4.78, 7.01), "Rumuokoro", "Trans Amadi", "Diobu"),
    _city("Okrika", "Rivers", "NG-RI", 0.01, (4.74, 7.08)),
    _city("Ibadan", "Oyo", "NG-OY", 0.06, (7.38, 3.90), "Bodija", "Challenge", "Dugbe"),
    _city("Ogbomoso", "Oyo", "NG-OY", 0.02, (8.13, 4.24)),
    _city("Kaduna", "Kaduna", "NG-KD", 0.04, (10.53, 7.44), "Barnawa", "Kawo"),
    _city("Zaria", "Kaduna", "NG-KD", 0.02, (11.11, 7.72)),
    _city("Enugu", "Enugu", "NG-EN", 0.03, (6.44, 7.50), "Independence Layout", "Abakpa"),
    _city("Nsukka", "Enugu", "NG-EN", 0.01, (6.86, 7.39)),
    _city("Warri", "Delta", "NG-DE", 0.03, (5.52, 5.75), "Effurun"),
    _city("Asaba", "Delta", "NG-DE", 0.02, (6.20, 6.73)),
    _city("Benin City", "Edo", "NG-ED", 0.04, (6.34, 5.63), "Ugbowo", "Ring Road"),
    _city("Onitsha", "Anambra", "NG-AN", 0.03, (6.15, 6.79), "Awada"),
    _city("Awka", "Anambra", "NG-AN", 0.02, (6.21, 7.07)),
    _city("Abeokuta", "Ogun", "NG-OG", 0.02, (7.16, 3.35)),
    _city("Ota", "Ogun", "NG-OG", 0.02, (6.69, 3.23), "Sango"),
    _city("Uyo", "Akwa Ibom", "NG-AK", 0.03, (5.05, 7.93), "Ewet Housing"),
)
CITY_WEIGHTS = list(accumulate(city.share for city in CITIES))
"""Cumulative, as ``random.choices`` wants them."""

REGION_SHARES = {
    region: sum(city.share for city in CITIES if city.region == region) / CITY_WEIGHTS[-1]
    for region in dict.fromkeys(city.region for city in CITIES)
}

_FIRST = """
Ada Amaka Amina Aisha Abdul Adebayo Adaeze Ahmed Aminu Ayo Bala Bisi Blessing Bola Chidi Chidinma Chika
Chinedu Chioma Danladi David Deborah Ebuka Efe Ejiro Emeka Ese Esther Fatima Femi Folake Funmi Gbenga Godwin
Grace Habiba Halima Hassan Hauwa Ibrahim Idris Ifeoma Ifeanyi Ikenna Jide Jumoke Kabir Kelechi Kemi Kunle
Ladi Lola Maryam Mercy Musa Ngozi Nkechi Nneka Obinna Ola Osagie Patience Rasheed Sade Sani Segun Seyi Sule
Tayo Temi Tope Tunde Uche Umar Victor Wale Yakubu Yemi Yusuf Zainab
"""
_FIRST_NAMES = _FIRST.split()
_LAST = """
Abiola Abubakar Adamu Adebisi Adeleke Adeyemi Afolabi Agbaje Ajayi Akande Akpan Alabi Aliyu Amadi Anyanwu
Bassey Bello Chukwu Danjuma Dike Ebong Edet Effiong Egwu Ekanem Eze Ezeh Garba Ganiyu Gambo Haruna Ibe Igwe
Ihejirika Iroha Ishaya Jatau Kalu Lawal Madu Mohammed Momoh Nnadi Nwachukwu Nwosu Obaseki Obi Odili Ofor
Ogbonna Ogunleye Oke Okafor Okeke Okon Okoro Okoye Oladipo Olawale Omeje Onu Opara Osagie Oseni Raji Salami
Sanusi Shehu Soyemi Tanko Udo Ugwu Umeh Usman Uzor Wada Yahaya Yaro Zubair
"""
_LAST_NAMES = _LAST.split()


class Customer(NamedTuple):
    """A person, as the sources know them."""

    number: int
    name: str
    phone: str
    """E.164, unique."""
    email: str
    handle: str
    platform_id: str
    account: str
    city: City


def customer(number: int, city: City) -> Customer:
    """The customer ``number`` (below 100 million, so that phones and accounts are unique) of ``city``."""
    mixed = number * 0x9E3779B97F4A7C15 & _MASK
    first = _FIRST_NAMES[(mixed >> 20) % len(_FIRST_NAMES)]
    last = _LAST_NAMES[(mixed >> 40) % len(_LAST_NAMES)]
    low = first.lower()
    # Multiplying by a number without the factors 2 and 5 permutes the eight-digit numbers.
    return Customer(
        number,
        f"{first} {last}",
        f"+23482{number * 60_713_927 % 100_000_000:08}",
        f"{low}.{last.lower()}{number}@example.{'com' if mixed & 3 else 'org'}",
        f"{low[:7]}_{number:x}",
        str(1_000_000_007 + number * 7919),
        f"30{number * 38_291_413 % 100_000_000:08}",
        city,
    )


class Customers:
    """``count`` customers, spread over the cities by population; some are far more talkative than others."""

    def __init__(self, count: int) -> None:
        total = CITY_WEIGHTS[-1]
        bounds = [0, *(max(place, round(count * w / total)) for place, w in enumerate(CITY_WEIGHTS, start=1))]
        self._ranges = {city.name: bound for city, bound in zip(CITIES, pairwise(bounds), strict=True)}

    def draw(self, rng: Random, city: City) -> Customer:
        """A customer who lives in ``city``."""
        low, high = self._ranges[city.name]
        return customer(low + int((high - low) * rng.random() ** 2), city)
