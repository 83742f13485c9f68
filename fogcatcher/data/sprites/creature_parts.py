"""Hand-drawn halves of front-facing creatures; each row ends at the middle line.

c is the creature's own colour, d a second one; the other letters are those of
``canvas``. Every body in a tuple is one build of the same creature.
"""

from __future__ import annotations

from fogcatcher.data.sprites.canvas import Art, art

# Both halves of a face are mirrored, so the last letter lies beside the middle line.
EYES: dict[str, Art] = {
    "round": art("""
    zk.
    kk.
    """),
    "small": art("""
    k..
    """),
    "tall": art("""
    k..
    k..
    """),
    "glow": art("""
    yy.
    .y.
    """),
    "angry": art("""
    k..
    zk.
    """),
    "wide": art("""
    zz.
    zk.
    """),
    "sleepy": art("""
    kk.
    """),
    "red": art("""
    vv.
    .v.
    """),
}

MOUTHS: dict[str, Art] = {
    "none": art("."),
    "smile": art("""
    k..
    .kk
    """),
    "line": art(".kk"),
    "fangs": art("""
    kkk
    .z.
    """),
    "open": art("""
    .kk
    .vv
    """),
    "dot": art("..k"),
    "teeth": art("""
    kkk
    kzk
    """),
    "tongue": art("""
    .kk
    ..v
    """),
    "grin": art("zkz"),
}

HORNS: dict[str, Art] = {
    "none": art("."),
    "up": art("""
    w....
    ww...
    .w...
    """),
    "stub": art("""
    .....
    .w...
    .ww..
    """),
    "curl": art("""
    .ww..
    ww...
    .www.
    """),
    "ears": art("""
    cc...
    ccc..
    cccc.
    """),
    "spike": art("""
    .....
    ....w
    ...ww
    """),
    "tuft": art("""
    ....d
    ..d.d
    ..ddd
    """),
    "antenna": art("""
    dd...
    .c...
    ..c..
    """),
    "leaf": art("""
    ..eee
    ...ee
    ....e
    """),
    "crown": art("""
    ..G.G
    ..ggg
    ..7g7
    """),
}

SLIMES = (
    art("""
    ...cc
    ..ccc
    .cccc
    ccccc
    cccccc
    cccccc
    ccccccc
    ccccccc
    .cccccc
    """),
    art("""
    ..ccc
    .ccccc
    cccccc
    ccccccc
    ccccccc
    ccccccc
    .cccccc
    """),
    art("""
    ....c
    ...cc
    ...cc
    ..ccc
    .cccc
    ccccc
    cccccc
    cccccc
    cccccc
    .ccccc
    """),
    art("""
    ..ccc
    .cccc
    ccccc
    ccccc
    ccccc
    ccccc
    ccccc
    cccccc
    c.cc.cc
    """),
)

BAT_WINGS = (
    art("""
    cc....
    ccc...
    cccc..
    cccccc
    ccc1cc
    cc1.cc
    c1..c.
    """),
    art("""
    ..cc..
    .cccc.
    cccccc
    ccc1cc
    cc1c1c
    c.c.c.
    """),
    art("""
    c.....
    cc....
    ccc.cc
    1ccccc
    .1cccc
    .c1c1c
    ..c.c.
    """),
)

GHOSTS = (
    art("""
    ...cc
    ..cccc
    .ccccc
    .ccccc
    .ccccc
    cccccc
    cccccc
    .ccccc
    .ccccc
    .ccccc
    .c.cc.
    """),
    art("""
    ..ccc
    .cccc
    ccccc
    ccccc
    ccccc
    ccccc
    c1ccc
    c1ccc
    .cccc
    ..ccc
    ...cc
    ....c
    """),
    art("""
    ..ccc
    .ccccc
    cccccc
    cccccc
    cccccc
    cccccc
    cccccc
    cccccc
    c.cc.c
    c..c.c
    """),
)

SKULLS = (
    art("""
    .www
    wwww
    wwww
    wkkw
    wkkw
    wwwk
    .w8w
    .wkw
    """),
    art("""
    ..www
    .wwww
    .wwww
    .wvkw
    .wkkw
    .8wwk
    ..wkw
    """),
    art("""
    .www
    wwww
    wkkw
    wkvw
    8www
    .kwk
    .www
    """),
)

RIBS = (
    art("""
    ..88w
    w.www
    w.o8w
    w.www
    8.o8w
    w..ww
    ..w8.
    ..w..
    .ww..
    """),
    art("""
    .cccc
    wc1cc
    w.www
    w.o8w
    8..ww
    w.ccc
    ..w..
    ..w..
    .ww..
    """),
    art("""
    mm8ww
    mM.ww
    w.o8w
    w.www
    ..lll
    ..ccc
    ..w..
    .ww..
    """),
)

SPIDER_LEGS = (
    art("""
    .cc....
    c..cc..
    c....cc
    .ccc...
    c...ccc
    c......
    ..cccc.
    .c.....
    .c.....
    """),
    art("""
    ..c....
    .c.c...
    .c..ccc
    c.cc...
    c...ccc
    .cc....
    c..cccc
    c......
    """),
    art("""
    c......
    .cc....
    ...cccc
    cc.....
    ..ccccc
    .......
    .cccccc
    c......
    c......
    """),
)

GOBLIN_HEADS = (
    art("""
    ...ccc
    ..cccc
    cccccc
    .ccccc
    ..cccc
    ...ccc
    """),
    art("""
    c..ccc
    cccccc
    .cSccc
    ..cccc
    ..cccc
    ...ccc
    """),
    art("""
    ..cccc
    ..cccc
    .ccccc
    cccccc
    c.cccc
    ...ccc
    """),
)

GOBLIN_BODIES = (
    art("""
    ..dddd
    .cdddd
    .c2ddd
    .c.llg
    ...lll
    ...c..
    ..cc..
    """),
    art("""
    ..llll
    .clldl
    .c.lll
    .c.ddg
    ...ddd
    ..cc..
    """),
    art("""
    .mmddd
    cMmddd
    c.dddd
    c.ll7g
    ..dd..
    ..cc..
    """),
)

DEMON_BODIES = (
    art("""
    ..cccc
    .ccccc
    .cc1cc
    .c.ccc
    .w.ccc
    ...lll
    ...c1.
    ..ww..
    """),
    art("""
    .ccccc
    ccc1cC
    cc.ccc
    c..c1c
    w..lgg
    ..ccc.
    ..ww..
    """),
)

WINGS: dict[str, Art] = {
    "none": art("."),
    "raised": art("""
    dd....
    ddd...
    dddd..
    ddddd.
    d2ddd.
    2.2d..
    """),
    "folded": art("""
    .d....
    .dd...
    ddd...
    dd2...
    dd2...
    d2....
    2.....
    """),
}

GOLEMS = (
    art("""
    ...cccc
    ...cccc
    ...cccc
    .cccccc
    ccc1ccc
    ccc1ccc
    cc11ccc
    cc.cccc
    ccc1ccc
    cc..1cc
    ...ccc.
    ..cccc.
    ..ccc1.
    """),
    art("""
    ...ccc
    ..cccc
    cccccc1
    cccc1cc
    cccc1ccc
    ccc1.ccc
    ccc..ccc
    .ccc.1cc
    .ccc.ccc
    .cc..cc.
    ....ccc.
    ....ccc.
    """),
    art("""
    ..ccccc
    ..ccccc
    ..ccccc
    cc1cccc
    ccc1ccc
    cc1cccc
    cc.cccc
    cc.1111
    ...cccc
    ..cccc.
    ..cccc.
    """),
)

CAPS = (
    art("""
    ...ccc
    .ccccc
    cccccc
    ccccccc
    ccccccc
    1111111
    """),
    art("""
    ....cc
    ...ccc
    ..cccc
    .ccccc
    cccccc
    ccccccc
    .111111
    """),
    art("""
    ..cccc
    ccccccc
    ccccccc
    ccccccc
    c1c1111
    1......
    """),
)

STALKS = (
    art("""
    wwww
    wwww
    wwww
    wwww
    wwww
    .www
    .88.
    """),
    art("""
    .www
    wwww
    wwww
    wwwww
    wwwww
    .88.
    """),
    art("""
    wwww
    wwww
    w.wwww
    w.wwww
    8.wwww
    ..88..
    """),
)

CAT_HEADS = (
    art("""
    c....
    cc...
    cdccc
    ccccc
    ccccc
    ccccc
    .cccc
    """),
    art("""
    .c...
    .cc..
    ccdcc
    cccccc
    cccccc
    .ccccc
    ..cccc
    """),
)

CAT_BODIES = (
    art("""
    ..ccc
    .cccc
    .cccc
    .cc1c
    .cc1c
    .ww1w
    """),
    art("""
    ..ccc
    .ccww
    ccc1w
    cc1cw
    cc1cc
    .ww1w
    """),
    art("""
    .cccc
    ccccc
    cc1cc
    cc1cc
    ccdd.
    """),
)

DRAGON_BODIES = (
    art("""
    ..cccw
    .ccwww
    .cc8ww
    .c1www
    ..c8ww
    ..ccc.
    .ccc..
    """),
    art("""
    .cccww
    ccc8ww
    c1cwww
    ..c8ww
    .cccww
    .cc1..
    .ww...
    """),
)

DRAGON_HEADS = (
    art("""
    ..ccc
    .cccc
    .cccc
    .cccc
    ccccc
    cccco
    .cccc
    """),
    art("""
    .cccc
    ccccc
    ccccc
    .cccc
    ..ccc
    ..coc
    ..ccc
    """),
)

OWLS = (
    art("""
    c.....
    ccc..c
    cccccc
    ccccccc
    ccccccc
    cccccc
    c1cccc
    cc1ddd
    cc1d2d
    cc1ddd
    cc12d2
    .c1ddd
    ..c1dd
    ...gg.
    """),
    art("""
    cc....
    cccccc
    cccccc
    cccccc
    cccccc
    .ccccc
    cc1ddd
    ccc1dd
    cc1dd2
    cc1ddd
    .c.1dd
    ..gg..
    """),
)

CRABS = (
    art("""
    .cc....
    cc.c...
    c..c...
    ccc....
    .c...cc
    .ccccccc
    ..cccccc
    c.cccccc
    .ccccccc
    c.1ccccc
    .c..1111
    c..c....
    """),
    art("""
    cc.cc...
    ccc.c...
    ccccc...
    .ccc....
    .c...ccc
    ..cccccc
    cc.ccccc
    ..cccccc
    cc.11ccc
    .c.c..11
    c..c....
    """),
)
