"""A street at dusk: a row of houses seen lengthwise, a shop across the corner, crossing, parked cars, trees, lamps."""

from __future__ import annotations

import numpy as np

from .cars import PAINTS, Car
from .config import SceneConfig
from .facades import Facade, Wall, facade_shader
from .furniture import Panel, box_rects, chimney, iron_shader, painted, railing, street_lamp
from .geometry import Patch, Rect, Surface
from .layout import Drive, Layout, Shader, Walk, headlights, looks
from .lighting import Lamp, Occluder
from .materials import Colour, Surroundings, asphalt, concrete, grass, mix, paint_lines, pavers, spot
from .noise import band, generator, stripes
from .people import Pose
from .raster import Limb
from .smoke import Plume
from .vegetation import Tree, foliage_shader, ragged_top

LEFT_WALL, LEFT_KERB, RIGHT_KERB, CORNER = -8.6, -5.2, 3.9, 7.4
SHOP_FRONT = 25.0
KERB = 0.13
NAMES = ("BAKERY", "CAFE ORION", "HOTEL LUNA", "BOOKS & MAPS", "PHARMACY", "RADIO HAUS", "TEA ROOM", "NIGHT MARKET")
WALLS: tuple[tuple[Wall, Colour], ...] = (
    ("brick", (0.23, 0.115, 0.085)), ("plaster", (0.40, 0.36, 0.29)), ("brick", (0.30, 0.21, 0.15)),
    ("plaster", (0.33, 0.25, 0.20)), ("plaster", (0.30, 0.32, 0.33)), ("brick", (0.17, 0.10, 0.085)),
    ("concrete", (0.27, 0.265, 0.25)),
)  # fmt: skip
SODIUM, LED = (1.0, 0.62, 0.28), (0.92, 0.96, 1.0)


def build_street(config: SceneConfig, env: Surroundings) -> Layout:
    """The street of this seed."""
    rng = generator(config.seed, "street")
    layout = Layout()
    _ground(env, layout)
    _left_row(env, layout, rng)
    _right_side(env, layout, rng)
    _far_end(env, layout, rng)
    _lamps(env, layout, rng)
    _verge(env, layout, rng)
    _traffic(config, layout, rng)
    _people(config, layout, rng)
    return layout


def _ground(env: Surroundings, layout: Layout) -> None:
    def road(p: Patch) -> Surface:
        surface = asphalt(env, p)
        for lane in (-3.0, 1.7):
            for wheel in (-0.75, 0.75):
                track = np.exp(-(((p.s - lane - wheel) / 0.28) ** 2))
                surface.albedo *= (1 - 0.16 * track)[:, None]
                surface.temperature += 0.9 * track
            surface.albedo *= (1 - 0.18 * np.exp(-(((p.s - lane) / 0.3) ** 2)))[:, None]
        zebra = stripes(p.s + 0.2, 1.0, 0.5, p.foot_s) * band(p.t, 11.2, 14.2, p.foot_t)
        zebra *= band(p.s, LEFT_KERB + 0.3, RIGHT_KERB - 0.3, p.foot_s)
        lines = band(p.s, -0.72, -0.58, p.foot_s) * stripes(p.t, 5.0, 2.6, p.foot_t) * band(p.t, 16.0, 95.0, p.foot_t)
        lines += band(p.s, -0.4, RIGHT_KERB - 0.4, p.foot_s) * band(p.t, 9.8, 10.2, p.foot_t)
        lines += band(p.s, LEFT_KERB + 0.22, LEFT_KERB + 0.34, p.foot_s) * band(p.t, 16, 95, p.foot_t)
        paint_lines(env, p, surface, np.clip(zebra + lines, 0, 1))
        cover = spot(p, 0.9, 8.4, 0.34)
        mix(surface, cover, (0.05, 0.05, 0.05), env.air + 6.5, 0.9)
        ring = spot(p, 0.9, 8.4, 0.40) - cover
        mix(surface, np.clip(ring, 0, 1), (0.13, 0.13, 0.125), env.air + 4.6, 0.95)
        gutter = band(p.s, LEFT_KERB, LEFT_KERB + 0.3, p.foot_s) + band(p.s, RIGHT_KERB - 0.3, RIGHT_KERB, p.foot_s)
        surface.albedo *= (1 - 0.35 * gutter)[:, None]
        return surface

    def walk(wall: float, size: tuple[float, float]) -> Shader:
        def shade(p: Patch) -> Surface:
            surface = pavers(env, p, (0.19, 0.182, 0.17), size)
            for kerb in (LEFT_KERB, RIGHT_KERB):
                stone = band(p.s, kerb - 0.16, kerb + 0.16, p.foot_s)
                joints = stripes(p.t, 1.0, 0.02, p.foot_t)
                mix(surface, stone * (1 - 0.8 * joints), (0.29, 0.285, 0.27), env.air + 2.9, 0.94)
            corner = np.exp(-np.abs(p.s - np.float32(wall)) / 0.4)
            surface.albedo *= (1 - 0.45 * corner)[:, None]
            surface.temperature += 0.8 * corner
            return surface

        return shade

    def kerb_face(p: Patch) -> Surface:
        return concrete(env, p, (0.17, 0.165, 0.155), (1.0, 5.0))

    layout.rects += [
        Rect(1, 0.0, (LEFT_KERB, 0.5), (RIGHT_KERB, 95.0), road),
        Rect(1, KERB, (-40.0, 0.5), (LEFT_KERB, 95.0), walk(LEFT_WALL, (0.6, 0.4))),
        Rect(1, KERB, (RIGHT_KERB, 0.5), (45.0, SHOP_FRONT + 70), walk(CORNER + 90, (0.42, 0.28))),
        Rect(0, LEFT_KERB, (0.5, 0.0), (95.0, KERB), kerb_face, 1.0),
        Rect(0, RIGHT_KERB, (0.5, 0.0), (95.0, KERB), kerb_face, -1.0),
    ]


def _left_row(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    start = 4.0
    for number in range(6):
        stop = start + float(rng.uniform(9.5, 15.0))
        height = 3.1 * int(rng.integers(2, 5)) + float(rng.uniform(0.7, 1.4))
        wall, colour = WALLS[(number + int(rng.integers(0, 2)) * 3) % len(WALLS)]
        shade = float(rng.uniform(0.85, 1.15))
        shop = ((start + 3.8, start + 7.6),) if number in (1, 3) else ()
        doors = (stop - 1.9,) if shop else ((start + stop) / 2,)
        front = Facade(
            wall=wall, colour=(colour[0] * shade, colour[1] * shade, colour[2] * shade), start=start, stop=stop,
            height=height, salt=int(rng.integers(0, 200)), bay=float(rng.uniform(2.3, 3.0)),
            lit=float(rng.uniform(0.15, 0.4)), shops=shop, doors=doors,
        )  # fmt: skip
        shader = facade_shader(env, front)
        side = facade_shader(env, Facade(front.wall, front.colour, -30.0, LEFT_WALL, height, front.salt, first_floor=9))
        layout.rects.append(Rect(0, LEFT_WALL, (start, 0.0), (stop, height), shader, 1.0))
        layout.rects.append(Rect(2, start, (-30.0, 0.0), (LEFT_WALL, height), side, -1.0))
        layout.rects += chimney(
            env, LEFT_WALL - 2.2, height, start + float(rng.uniform(2, 6)), float(rng.uniform(-1, 9))
        )
        if shop:
            layout.lamps.append(
                Lamp(
                    (LEFT_WALL + 0.3, 1.7, start + 5.7), (1.0, 0.8, 0.5), 5.0, 7.0, (1.0, -0.15, 0.0), (0.0, 0.9), False
                )
            )
        start = stop


def _right_side(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    wall, colour = WALLS[int(rng.integers(0, len(WALLS) - 1))]
    height = 3.1 * int(rng.integers(2, 4)) + 1.1
    shop_start = CORNER + 1.0
    front = Facade(
        wall=wall, colour=colour, start=CORNER, stop=31.0, height=height, salt=int(rng.integers(0, 200)),
        floor_height=3.5, bay=2.7, window=(1.25, 1.7), sill=1.0, lit=0.3, shops=((shop_start, shop_start + 5.6),),
        doors=(shop_start + 7.6,),
    )  # fmt: skip
    side = Facade(wall, colour, SHOP_FRONT, 42.0, height, int(rng.integers(0, 200)), floor_height=3.5, bay=3.2, lit=0.3)
    layout.rects += [
        Rect(2, SHOP_FRONT, (CORNER, 0.0), (31.0, height), facade_shader(env, front), -1.0),
        Rect(0, CORNER, (SHOP_FRONT, 0.0), (42.0, height), facade_shader(env, side), -1.0),
    ]
    layout.rects += chimney(env, CORNER + float(rng.uniform(1, 3)), height, SHOP_FRONT + 3.0, 7.0)
    layout.rects += chimney(env, CORNER + float(rng.uniform(4, 6)), height, SHOP_FRONT + 3.0, -1.0)
    start = 47.0
    for number in range(3):
        stop = start + float(rng.uniform(10, 16))
        wall, colour = WALLS[(number * 2 + 1) % len(WALLS)]
        tall = 3.1 * int(rng.integers(2, 5)) + 1.0
        row = Facade(wall, colour, start, stop, tall, int(rng.integers(0, 200)), lit=0.3, doors=((start + stop) / 2,))
        end = Facade(wall, colour, CORNER, 40.0, tall, 3, lit=0.25)
        layout.rects.append(Rect(0, CORNER, (start, 0.0), (stop, tall), facade_shader(env, row), -1.0))
        layout.rects.append(Rect(2, start, (CORNER, 0.0), (40.0, tall), facade_shader(env, end), -1.0))
        start = stop
    name = NAMES[int(rng.integers(0, len(NAMES)))]
    board = Panel(
        shop_start + 2.8, 3.16, SHOP_FRONT - 0.15, 5.2, 0.84, name, (0.05, 0.055, 0.07), (0.95, 0.78, 0.42), 0.75
    )
    layout.panels.append(board)
    layout.lamps.append(
        Lamp((shop_start + 2.8, 2.0, SHOP_FRONT - 0.4), (1.0, 0.82, 0.55), 16.0, 11.0, (0.0, -0.35, -0.94), (-0.1, 0.9))
    )


def _far_end(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    wall, colour = WALLS[int(rng.integers(0, len(WALLS)))]
    far = Facade(wall, colour, -40.0, 12.0, 9.0 + float(rng.uniform(0, 4)), int(rng.integers(0, 200)), lit=0.35)
    layout.rects += [
        Rect(2, 96.0, (-40.0, 0.0), (12.0, far.height), facade_shader(env, far), -1.0),
        Rect(2, 105.0, (-120.0, 0.0), (160.0, 22.0), foliage_shader(env, 81.0), -1.0, ragged_top(env, 10.0, 2.4, 82.0)),
        Rect(1, -0.2, (-300.0, 0.5), (300.0, 400.0), lambda p: grass(env, p)),
    ]


def _lamps(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    colour = SODIUM if rng.random() < 0.65 else LED
    places = [(LEFT_KERB - 0.5, 16.5, 1.5), (RIGHT_KERB + 0.5, 21.0, -1.5), (LEFT_KERB - 0.5, 33.0, 1.5)]
    places += [(RIGHT_KERB + 0.5, 45.0, -1.5), (LEFT_KERB - 0.5, 58.0, 1.5), (RIGHT_KERB + 0.5, 72.0, -1.5)]
    for number, (x, z, reach) in enumerate(places):
        # one lamp is out of order: its part of the street stays dark
        limbs, lamp = street_lamp(env, x, z, reach, colour, 0.0 if number == 2 else 120.0)
        layout.limbs += limbs
        layout.occluders.append(Occluder(x, z, 0.09, 0.09, 0.0, 0.0, 5.0, contact=0.3))
        if lamp.power:
            layout.lamps.append(lamp)


def _verge(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    """Trees, fence, low wall, bins, road sign."""
    trees = [(12.3, 18.2, 6.4), (-6.9, 25.0, 6.0), (5.9, 38.0, 7.0), (-7.0, 45.0, 6.5)]
    for x, z, height in trees:
        x += float(rng.uniform(-0.5, 0.5))
        leaves = float(rng.uniform(0.35, 1.0))
        layout.trees.append(Tree(x, z, height * float(rng.uniform(0.9, 1.15)), int(rng.integers(0, 2**31)), leaves))
        layout.occluders.append(Occluder(x, z, 0.2, 0.2, 0.0, 0.0, 2.2, contact=0.4))
        layout.occluders.append(Occluder(x, z, 1.6, 1.6, 0.0, 2.4, height * 0.8, contact=0.45 * leaves))
    fence_z = 16.0
    layout.rects.append(
        Rect(2, fence_z, (6.9, KERB), (30.0, KERB + 1.25), iron_shader(env), -1.0, railing(KERB + 1.15))
    )
    layout.rects += box_rects(
        (6.9, 30.0),
        (KERB, KERB + 0.42),
        (fence_z + 0.02, fence_z + 0.3),
        lambda p: concrete(env, p, (0.24, 0.23, 0.215), (1.6, 3.0)),
    )
    layout.rects.append(
        Rect(
            2,
            fence_z + 2.6,
            (9.4, KERB),
            (30.0, 3.0),
            foliage_shader(env, 84.0),
            -1.0,
            ragged_top(env, 1.35, 0.22, 85.0),
        )
    )
    sign_x, sign_z = LEFT_KERB - 0.6, 14.8
    layout.limbs.append(
        (Limb((sign_x, KERB, sign_z), (sign_x, 2.9, sign_z), 0.035, 0.035), painted(env, (0.3, 0.3, 0.3), -0.6))
    )
    speed = ("30", "50", "20")[int(rng.integers(0, 3))]
    layout.panels.append(
        Panel(sign_x, 2.62, sign_z - 0.06, 0.66, 0.66, speed, (0.6, 0.6, 0.58), (0.03, 0.03, 0.03), round=True)
    )
    text = ("CENTRE 2 km", "PARKING 200 m", "STATION 1 km")[int(rng.integers(0, 3))]
    layout.panels.append(Panel(sign_x, 2.02, sign_z - 0.06, 1.15, 0.32, text, (0.03, 0.07, 0.22), (0.62, 0.62, 0.6)))
    for k in range(2):
        bin_x = LEFT_WALL + 0.6
        bin_z = 18.3 + 0.75 * k
        layout.limbs.append(
            (Limb((bin_x, 0.4, bin_z), (bin_x, 0.95, bin_z), 0.3, 0.33), painted(env, (0.035, 0.06, 0.04), 0.4))
        )
        layout.occluders.append(Occluder(bin_x, bin_z, 0.35, 0.35, 0.0, 0.0, 1.1))


def _traffic(config: SceneConfig, layout: Layout, rng: np.random.Generator) -> None:
    order = rng.permutation(len(PAINTS))
    bodies = ["sedan", "hatch", "van", "hatch"]
    places = [(10.3, 21.6, 0.06), (-4.3, 27.5, -np.pi / 2), (-4.25, 36.0, -np.pi / 2), (16.6, 21.6, np.pi - 0.05)]
    for k in range(config.num_cars):
        x, z, heading = places[k]
        body = bodies[int(rng.integers(0, 4))]
        layout.parked.append(Car(x, z, heading, body, PAINTS[order[k]]))
    layout.drive = Drive(
        Car(1.75, 17.5, np.pi / 2, "hatch" if rng.random() < 0.5 else "sedan", PAINTS[order[4]], 1.0, 0.0, 5.0),
        38.0,
        6.0,
    )
    if config.glare:
        car = Car(-2.3, 24.5, -np.pi / 2 - 0.03, "sedan", PAINTS[order[5]], 1.0, 9000.0)
        layout.parked.append(car)
        layout.lamps += headlights(car)
    if config.smoke:
        layout.plume = Plume(5.0, 17.3, -0.35, 6.0, 1.35, 3.0)


def _people(config: SceneConfig, layout: Layout, rng: np.random.Generator) -> None:
    look = looks(config.seed, config.num_people)
    tau = np.pi / 2
    turn = 1.0 if rng.random() < 0.5 else -1.0
    spots: list[tuple[float, float, float, float, Pose, float]] = [
        (5.2, 18.4, -tau + 0.9, 0.0, "phone", KERB),
        (-1.55, 22.9, -tau, 0.5, "walk", 0.0),
        (-7.9, 25.6, -tau + 0.5, 0.0, "lean", KERB),
        (-3.9, 12.7, 0.0, 6.8, "walk", 0.0),
        (-7.0, 14.2, tau, 9.0, "walk", KERB),
        (9.6, 23.6, 0.3, 0.0, "stand", KERB),
        (-6.3, 21.0, -tau, 4.5, "walk", KERB),
        (2.6, 13.4, np.pi, 5.5, "walk", 0.0),
        (4.9, 33.0, -tau, 9.0, "walk", KERB),
        (5.4, 13.1, tau - 0.1, 6.5, "walk", KERB),
        (7.2, 23.9, -0.4, 2.5, "walk", KERB),
        (5.3, 14.6, tau, 0.0, "crouch", KERB),
    ]
    for number in range(config.num_people):
        x, z, heading, length, pose, ground = spots[number]
        if number > 2 and length and turn < 0:
            x, z, heading = x + length * np.cos(heading), z + length * np.sin(heading), heading + np.pi
        start = float(rng.uniform(0.1, 0.55)) * length if number > 1 else 0.0
        layout.walks.append(Walk(float(x), float(z), float(heading), length, pose, look[number], start, ground))
