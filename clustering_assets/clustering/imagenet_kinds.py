"""Everyday kinds of thing that the 1000 classes of ImageNet-1k belong to, for names a person would use."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

ClassScores = Callable[[NDArray[np.floating]], tuple[NDArray[np.floating], list[str]] | None]
"""Features (m, d) -> ((m, classes) scores, class words), or None where the network has no head."""

_KINDS = {
    "fish": "0-6 389-397",
    "birds": "7-24 80-100 127-146",
    "frogs and salamanders": "25-32",
    "reptiles": "33-68",
    "spiders and scorpions": "69-79",
    "sea life": "107-126 147-150 327-329",
    "dogs": "151-268",
    "wolves and foxes": "269-280",
    "cats": "281-285",
    "big cats": "286-293",
    "bears": "294-297 387-388",
    "insects": "300-326",
    "small animals": "298-299 330-338 356-364",
    "horses and cattle": "339-355 385-386",
    "monkeys and apes": "365-384",
    "cars and lorries": "407 436 468 479 511 555 569 581 609 627 654 656 661 675 717 734 751 779 803 817 864 867 874",
    "motorbikes and bicycles": "444 518 665 670 671 870 880",
    "trains and trams": "466 547 565 705 820 829",
    "aircraft": "404 405 417 812 895 908",
    "boats and ships": "403 472 484 510 554 576 625 628 724 780 814 833 871 913 914",
    "buildings": "410 425 449 483 497 498 500 538 580 624 634 663 668 698 727 743 762 821 832 839 853 858 873 884 888",
    "furniture and rooms": (
        "423 453 493 516 520 526 532 548 553 559 564 703 765 831 846 857 894 827 760 495 703 736 789 799"
    ),
    "musical instruments": (
        "401 402 420 432 486 494 513 541 546 558 566 577 579 593 594 641 642 683 684 687 699 776 822 875 881 889"
    ),
    "electronics": (
        "481 482 485 487 508 527 528 530 590 592 605 613 620 632 650 651 662 664 673 707 732 742 754 759 761 782 848 "
        "851 878"
    ),
    "people or clothes": (
        "399 400 411 433 445 452 457 459 474 501 514 515 568 578 601 608 610 614 638 639 652 655 658 689 697 735 "
        "775 793 806 808 824 834 841 842 869 887 906"
    ),
    "sports": "416 422 429 430 522 543 574 602 702 722 746 747 752 768 795 805 852 890 981",
    "dishes and cups": (
        "438 440 441 504 505 567 572 618 647 659 725 737 809 849 868 898 899 901 907 909 910 923 968 969"
    ),
    "food": "924-935 959-967",
    "vegetables": "936-947 987",
    "fruit": "948-957",
    "flowers and plants": "984-986 988-990",
    "mushrooms": "991-997",
    "landscapes": "970 972 974-980 460",
    "coral and reefs": "973 983",
}

_FURTHER = {
    "small animals": "102-106",
    "horses and cattle": "101",
    "cars and lorries": "408 475 535 573 575 757",
    "tractors and carts": "450 537 561 586 595 603 612 621 690 730 802 847 856 866",
    "buildings": "406 437 442 448 562 649 660 682 706 708 825 863 900 915",
    "technical structures": "517 525 536 540 557 718 733 755 807",
    "shops": "415 424 454 467 509 582 788 860 865",
    "furniture and rooms": "421 431 435 492 556 588 598 619 648 721 729 753 766 896 905",
    "people or clothes": (
        "439 443 451 461 465 490 496 502 524 529 552 560 570 584 597 615 617 630 643 667 678 679 691 715 748 770 774 "
        "796 836 837 903 982"
    ),
    "dishes and cups": "463 469 503 544 653 666 738 773 813 828 883",
    "electronics": "480 531 545 606 688 713 745 811 859 882 886 897",
    "tools": (
        "462 473 477 491 499 512 587 596 600 623 633 677 695 696 710 726 731 740 769 772 783 784 792 798 616"
    ),
    "weapons": "413 471 657 744 763 764 787 777",
    "bags and boxes": "414 478 519 636 692 728 790 893",
    "fabrics and patterns": "434 489 533 539 591 599 741 750 794 885 904 911",
    "documents and screens": "549 916 918 921 922",
    "drawings": "917",
}
"""Classes that speak for a kind in names only: the space in which pictures are clustered was measured without them."""

_FAMILIES = {
    "felines": "cats; big cats",
    "canines": "dogs; wolves and foxes",
    "reptiles and amphibians": "frogs and salamanders; reptiles",
    "sea animals": "fish; sea life",
    "insects and spiders": "spiders and scorpions; insects",
    "mammals": (
        "dogs; wolves and foxes; cats; big cats; bears; small animals; horses and cattle; monkeys and apes"
    ),
    "road vehicles": "cars and lorries; motorbikes and bicycles; tractors and carts",
    "fruit and vegetables": "vegetables; fruit",
    "plants and mushrooms": "flowers and plants; mushrooms",
    "things of the house": "furniture and rooms; dishes and cups; electronics",
    "animals": (
        "fish; birds; frogs and salamanders; reptiles; spiders and scorpions; sea life; dogs; wolves and foxes; cats; "
        "big cats; bears; insects; small animals; horses and cattle; monkeys and apes"
    ),
    "vehicles": (
        "cars and lorries; motorbikes and bicycles; trains and trams; aircraft; boats and ships; "
        "tractors and carts"
    ),
    "buildings and structures": "buildings; technical structures; shops",
    "food and plants": "food; vegetables; fruit; flowers and plants; mushrooms",
}
"""From narrow to broad: a family stands before every other one that holds all its kinds."""

CATCH_ALLS = (
    "sports",
    "musical instruments",
    "electronics",
    "furniture and rooms",
    "dishes and cups",
    "tools",
    "weapons",
    "bags and boxes",
    "fabrics and patterns",
    "documents and screens",
    "drawings",
    "technical structures",
    "tractors and carts",
    "mushrooms",
)
"""Kinds that networks take other things for: smileys for balls, signs for screens, motorbikes for threshers, blossoms
for mushrooms."""

CLASSES = 1000
"""Classes of ImageNet-1k, which the published networks tell apart and these kinds are made of."""


@cache
def membership(*, further: bool = False) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The kinds and a (classes, kinds) table with 1 where a class is of a kind.

    Args:
        further: Also the kinds and classes that are for names only.
    """
    kinds = tuple(dict.fromkeys([*_KINDS, *_FURTHER])) if further else tuple(_KINDS)
    table = np.zeros((CLASSES, len(kinds)))
    for column, kind in enumerate(kinds):
        ranges = f"{_KINDS.get(kind, '')} {_FURTHER.get(kind, '') if further else ''}"
        for part in ranges.split():
            first, _, last = part.partition("-")
            table[int(first) : int(last or first) + 1, column] = 1
    return kinds, table


@cache
def families() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Families of kinds, narrow ones first, and a (kinds, families) table: 1 where a kind, also for names, is of it."""
    kinds, _ = membership(further=True)
    table = np.zeros((len(kinds), len(_FAMILIES)))
    for column, members in enumerate(_FAMILIES.values()):
        for kind in members.split("; "):
            table[kinds.index(kind), column] = 1
    return tuple(_FAMILIES), table


def narrower(word: str) -> set[str]:
    """A word, and if it is the name of a family, all its kinds and the families within it."""
    names, of_family = families()
    if word not in names:
        return {word}
    kinds, _ = membership(further=True)
    own = of_family[:, names.index(word)] > 0
    within = [name for name, column in zip(names, of_family.T, strict=True) if not column[~own].any()]
    return {*within, *(kind for kind, belongs in zip(kinds, own, strict=True) if belongs)}


TEMPERATURE = 2.0
"""Divides the class scores before they become shares: a network is surer of itself than it is right."""

CHUNK_ROWS = 2_048
"""Pictures whose class scores are held at a time."""


def kind_shares(vectors: NDArray[np.floating], class_scores: ClassScores) -> NDArray[np.float32] | None:
    """What kind of thing each picture shows, as a direction that can be added to the feature space.

    The square roots of the shares of the kinds and of what is of none, less their mean over all pictures: in
    these coordinates distance is Hellinger's, and where the network is unsure pictures differ little.

    Args:
        vectors: (n, d) embeddings; may be a memmap.
        class_scores: Class scores of features.

    Returns:
        (n, kinds + 1), or None where the network has no head for these classes.
    """
    _, member = membership()
    parts = []
    for start in range(0, len(vectors), CHUNK_ROWS):
        scored = class_scores(np.asarray(vectors[start : start + CHUNK_ROWS], dtype=np.float32))
        if scored is None or scored[0].shape[1] != CLASSES:
            return None
        kinds = softmax(scored[0] / TEMPERATURE) @ member
        parts.append(np.hstack([kinds, 1 - kinds.sum(axis=1, keepdims=True)]))
    shares = np.sqrt(np.clip(np.concatenate(parts), 0, 1))
    return (shares - shares.mean(axis=0)).astype(np.float32)


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """The scores of each row as shares that add up to 1."""
    share = np.exp(np.asarray(scores, dtype=np.float64) - scores.max(axis=1, keepdims=True))
    return share / share.sum(axis=1, keepdims=True)
