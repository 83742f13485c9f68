"""Hand-drawn halves of front-facing people; each row ends at the middle line.

Letters are those of ``canvas``: c main cloth, d second cloth, s skin, h hair,
m steel, l leather, g gold, w cream. Heads are 6 rows, bodies 6 with the feet.
"""

from __future__ import annotations

from fogcatcher.data.sprites.canvas import Art, art

FACES: tuple[Art, ...] = (
    art("""
    .sss
    ssss
    ssss
    ssks
    ssks
    .sss
    """),
    art("""
    .sss
    ssss
    ssss
    szks
    ssss
    .sss
    """),
    art("""
    .sss
    ssss
    ssss
    skss
    skss
    .sss
    """),
    art("""
    .sss
    ssss
    s44s
    szks
    ssss
    .sss
    """),
)

HAIR: dict[str, Art] = {
    "short": art("""
    .hhh
    hhhh
    hhhh
    h4h4
    """),
    "fringe": art("""
    ..hhh
    .hhhh
    .hhhh
    .hh4h
    .h...
    """),
    "long": art("""
    ..hhh
    .hhhh
    hhhhh
    hhh4.
    hh...
    hh...
    hh...
    h4...
    h....
    """),
    "bob": art("""
    ..hhh
    .hhhh
    hhhhh
    hhh44
    hh...
    hh...
    4h...
    """),
    "spiky": art("""
    ..h.h.
    .hhhhh
    ..hhhh
    ..hh4h
    ..h...
    """),
    "bald": art("""
    ....
    """),
    "buns": art("""
    hh.hhh
    hhhhhh
    h4hhhh
    ..hh4.
    ..h...
    """),
    "tonsure": art("""
    ....
    ....
    h...
    hh..
    h...
    """),
}

# Drawn from the row under the eyes.
BEARDS: dict[str, Art] = {
    "none": art("...."),
    "full": art("""
    h...
    hhhh
    .hh4
    """),
    "long": art("""
    h...
    hhhh
    hhhh
    .hhh
    .hhh
    ..hh
    """),
    "moustache": art("""
    ....
    .hhh
    """),
}

# Name: (rows, how many rows above the top of the head the picture starts).
HATS: dict[str, tuple[Art, int]] = {
    "none": (art("."), 0),
    "great_helm": (
        art("""
        ..mmm
        .mmmm
        .mmmM
        .mmmM
        .5kkk
        .5mmM
        .mm5M
        ..m55
        """),
        1,
    ),
    "open_helm": (
        art("""
        ..mmm
        .mmmm
        .mmmm
        .m555
        .m...
        .m...
        .5m..
        """),
        1,
    ),
    "plume_helm": (
        art("""
        ....cc
        ...ccC
        ..mmmc
        .mmmmc
        .mgGgg
        .m...
        .m...
        .5m..
        """),
        2,
    ),
    "horned_helm": (
        art("""
        w.....
        ww.mmm
        .wmmmm
        ..mmmm
        ..g7g7
        """),
        2,
    ),
    "wizard_hat": (
        art("""
        .....c
        ....cc
        ...ccc
        ..dDdd
        cccccc
        .11111
        """),
        3,
    ),
    "witch_hat": (
        art("""
        ....cc
        .....c
        ....cc
        ...gdG
        ccccccc
        .111111
        """),
        3,
    ),
    "ranger_hat": (
        art("""
        ..ccc
        .cccc
        .cccc
        ccdddd
        .11111
        """),
        2,
    ),
    "hood": (
        art("""
        ..ccc
        .cccc
        ccccc
        cc111
        c1...
        c1...
        c1...
        .c1..
        """),
        1,
    ),
    "crown": (
        art("""
        G..Gg
        gGggv
        7g7g7
        """),
        2,
    ),
    "tiara": (
        art("""
        ....G
        ..Ggv
        """),
        1,
    ),
    "bandana": (
        art("""
        ..ccc
        .cccc
        .c1cc
        c1111
        """),
        1,
    ),
    "tricorn": (
        art("""
        ...nnn
        n.nnnw
        nnnnnn
        .gGgGg
        """),
        1,
    ),
    "mitre": (
        art("""
        ....w
        ...wg
        ..wgg
        ..wwg
        .gGgg
        """),
        2,
    ),
    "veil": (
        art("""
        ..www
        .wwww
        wwwww
        ww888
        w8...
        w8...
        w8...
        w8...
        """),
        1,
    ),
    "mask": (
        art("""
        ..ccc
        .cccc
        .cccc
        .cdDd
        .c...
        .cccc
        .cccc
        ..111
        """),
        1,
    ),
    "headband": (
        art("""
        .cCcc
        """),
        -2,
    ),
    "cap": (
        art("""
        ..ccc
        .cccc
        .cccc
        .dDdd
        """),
        1,
    ),
    "straw_hat": (
        art("""
        ...ttt
        ..tttt
        ..cccc
        tttttt
        """),
        2,
    ),
}

BODIES: dict[str, Art] = {
    "tunic": art("""
    .cccc
    cc1cc
    c1ccc
    s1lLg
    .cccc
    .ll..
    .ll..
    """),
    "vest": art("""
    .cccw
    wc1cw
    w1ccw
    s1lLg
    .cc1.
    .nn..
    .ll..
    """),
    "mail": art("""
    mmccc
    mm1cc
    m1ccC
    m1lLg
    .cccc
    .mm..
    .mm..
    """),
    "plate": art("""
    mmmcc
    MM5cc
    m5mcc
    m5mcc
    .mmcc
    .mm1.
    .mm..
    """),
    "robe": art("""
    .cccc
    cc1cd
    cc1cd
    s1ccd
    .cccd
    ccccd
    ccc1d
    """),
    "sash_robe": art("""
    .cccc
    cc1cc
    cc1cc
    s1ddD
    .cccd
    .cccd
    ccc1c
    """),
    "gown": art("""
    ..ccc
    ss1cd
    s1ccd
    s.lgG
    .cccc
    ccccc
    cccccc
    1c1c1c
    """),
    "monk_robe": art("""
    ..dcc
    ssddc
    s.cdd
    s.ccd
    .lllg
    .cccc
    .ss..
    """),
    "leather": art("""
    .cccc
    cclll
    c1lll
    s1lgG
    .llll
    .cc..
    .ll..
    """),
    "coat": art("""
    .ccgw
    ccc1w
    cc1gw
    s1clL
    .cc1w
    ccnn.
    .cll.
    """),
    "bare": art("""
    .llss
    ssslL
    ss3ss
    s3ssl
    .cccg
    .ccc.
    .ll..
    """),
    "stole": art("""
    .wwcc
    wwwcg
    ww8cG
    s8wcg
    .wwcc
    wwwcc
    ww8cg
    """),
    "stripes": art("""
    .wwww
    wwccc
    s.www
    s.ccc
    .cllg
    .cc..
    .ll..
    """),
}

# Held in the left hand of the picture; drawn with the grip on the fifth row.
RIGHT_HAND: dict[str, Art] = {
    "none": art("."),
    "sword": art("""
    M.
    m.
    m.
    m.
    gg
    l.
    """),
    "staff": art("""
    gd
    dD
    l.
    l.
    l.
    l.
    l.
    l.
    """),
    "orb_staff": art("""
    cC
    cc
    g.
    l.
    l.
    l.
    l.
    l.
    """),
    "axe": art("""
    Ml
    ml
    ml
    .l
    .l
    .l
    """),
    "spear": art("""
    M.
    m.
    l.
    l.
    l.
    l.
    l.
    l.
    l.
    """),
    "dagger": art("""
    M.
    m.
    l.
    """),
    "mace": art("""
    mm
    MM
    mm
    .l
    .l
    """),
    "bow": art("""
    .l
    l.
    l.
    l.
    l.
    .l
    """),
    "hammer": art("""
    mM
    mm
    l.
    l.
    l.
    l.
    """),
    "broom": art("""
    l.
    l.
    l.
    l.
    l.
    tt
    tt
    """),
    "cutlass": art("""
    M.
    Mm
    .m
    .m
    gg
    """),
    "sceptre": art("""
    vg
    gG
    g.
    g.
    g.
    """),
    "lantern": art("""
    .l
    gG
    fF
    gg
    """),
    "book": art("""
    dd
    dw
    dd
    """),
}

SHIELDS: dict[str, Art] = {
    "none": art("."),
    "round": art("""
    .mm.
    mccm
    mcgm
    .mm.
    """),
    "kite": art("""
    mmm
    cCm
    ccm
    .m.
    """),
    "wood": art("""
    lll
    lgl
    lll
    """),
}

CAPES: dict[str, Art] = {
    "none": art("."),
    "short": art("""
    .cccccc
    cccccc.
    cc.....
    11.....
    """),
    "long": art("""
    ..ddddd
    .dddddd
    .ddd...
    .dd....
    ddd....
    22.....
    """),
    "fur": art("""
    .wwwww
    wwwwww
    .8.8.8
    """),
}
