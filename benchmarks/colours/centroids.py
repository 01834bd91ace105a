"""What colours are called: the centroids of the ISCC-NBS system, by the basic colour term that its names are made of.

K. L. Kelly and D. B. Judd, "Color: Universal Language and Dictionary of Names", National Bureau of Standards, Special
Publication 440, 1976, names 267 parts of the space of surface colours, and gives the centroid of each. Each name ends
in a noun ("dark greenish blue"), which is one of the eleven basic terms of English (B. Berlin and P. Kay, "Basic Color
Terms", 1969), or violet, a purple here, or olive, a green here; what is blackish is black here. In sRGB as A. Jaffer's
colour dictionaries have them, which lack one.
"""

from __future__ import annotations

CENTROIDS = {
    "black": "222222 202428 28201c 1e2321 25241d 242124 282022 202830 1a2421 291e29 2e1d21",
    "white": "e9e9ed dfede8 eae3e1 e8e3e5 f2f3f4 f0ead6",
    "grey": (
        "81878b 5b504f 51585e 555555 4e5755 5d555b 5c504f 7d8984 b4bcc0 8e8279 b9b8b5 b2beb5 8a8776 bfb9bd 848482 "
        "57554c c1b6b3 8b8589 8f817f bfb8a5"
    ),
    "red": (
        "543d3f 673147 722f37 78184a 841b2d 915f6d 905d5d af868e ad8884 a8516e ab4e52 b3446c bc3f4a 38152c 3f1728 "
        "54133b 5c0923 ce4676 be0032"
    ),
    "green": (
        "00a693 3eb489 bdda57 83d37d 004b49 3a4b47 363527 31362b 1b4d3e 403d21 2b3d26 355e3b 00443f 00543d 232f00 "
        "467129 00622d 5e716a 5b5842 515744 8f9779 66ada4 8c8767 6aab8e 867e36 c9dc89 93c592 317873 3b7861 665d1e "
        "4a5d23 8a9a5b 679267 8da399 dadfb7 007a74 007959 404f00 7e9f2e 44944a 002a29 1c352d 173620 003118 96ded1 "
        "8ed1b2 b6e5af c7e6d7 008882 008856 8db600 27a64c"
    ),
    "yellow": (
        "e9e450 ffc14f fada5e a18f60 98943e be8a3d ab9144 9b9400 c98500 af8d13 b9b57d c2b280 eae679 fbc97f f8de7e "
        "b9b459 e3a857 c9ae5d ebe8a4 fad6a5 f3e5ab beb72e eaa221 d4af37 dcd300 f6a600 f3c300"
    ),
    "blue": (
        "4997d0 239eba 6c79b8 00304e 36454f 004958 252440 00416a 2e8495 272458 536878 4c516d 70a3cc 66aabc 8791bf "
        "436b95 367588 4e5180 91a3b0 8c92ac 0067a5 007791 545aa7 002e3b a1caf1 9cd1dc b3bce2 bcd4e6 c0c8e1 00a1c2 "
        "0085a1 30267a"
    ),
    "brown": (
        "422518 3e322c 43302e 483c32 3b3121 3e1d1e 4b3621 593319 56070c 654522 635147 674c47 7e6d5a a67b5b 958070 "
        "977f73 967117 a87c6d c19a6b 6f4e37 6c541e 79443b 826644 80461b 882d17 996515"
    ),
    "orange": "fd943f ae6938 9e4732 be6516 aa381e b4745e fab57f d99058 cb6d51 ed872d d9603b f38400 e25822",
    "pink": (
        "ffc8d6 c2ac99 c08081 c17e91 c48379 e4717a de6fa1 e66721 c4aead c3a6b1 c7ada3 f9ccca efbbcc f4c2c2 dea5a4 "
        "d597ae d9a6a9 ead8d7 e8ccd7 ecd5c5 ea9399 e68fac f99379 ffb5ba ffb7a5"
    ),
    "purple": (
        "d399e6 7e73b8 50404d 563c5c 5d3954 2f2140 602f6b 702963 32174d 796878 836479 554c69 b695c0 b784a7 8c82b6 "
        "86608e 915c83 604e81 aa98a9 aa8a9e 9690ab 875692 9e4f88 604e97 301934 341731 401a4c 54194e d5badb dcd0ff "
        "d6cadd c4c3dd 9a4eae 870074 9065ca"
    ),
}
"""By term: red, green and blue, two hexadecimal digits each."""
