"""A walled works yard at dusk: workshop with a roller gate, containers, crates, a burning drum, lamps on the walls."""

from __future__ import annotations

import numpy as np

from .cars import PAINTS, Car
from .config import SceneConfig
from .facades import Facade, facade_shader
from .furniture import Panel, box_rects, drum, painted, street_lamp
from .geometry import Patch, Rect, Surface
from .layout import Drive, Layout, Shader, Walk, headlights, looks
from .lighting import Lamp, Occluder
from .materials import Colour, Surroundings, brick, concrete, grass, mix, paint_lines, pavers, sheet_metal, spot
from .noise import band, generator, stripes
from .people import Pose
from .raster import Limb
from .smoke import Plume
from .vegetation import Tree, foliage_shader, ragged_top

WALL, FRONT = -10.5, 23.0
NAMES = ("WORKSHOP 3", "GATE 7", "COLD STORE", "JOINERY", "LOADING BAY", "DEPOT WEST")
NOTICES = ("NO PARKING", "KEEP CLEAR", "STAFF ONLY", "DANGER 400 V")
CONTAINERS: tuple[Colour, ...] = ((0.16, 0.05, 0.035), (0.04, 0.085, 0.14), (0.05, 0.10, 0.06), (0.26, 0.2, 0.07))


def build_yard(config: SceneConfig, env: Surroundings) -> Layout:
    """The yard of this seed."""
    rng = generator(config.seed, "yard")
    layout = Layout()
    _ground(env, layout, rng)
    _buildings(env, layout, rng)
    _containers(env, layout, rng)
    _lamps(env, layout, rng)
    _add_objects(env, layout, rng)
    _traffic(config, layout, rng)
    _people(config, layout, rng)
    return layout


def _ground(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    slabs = rng.random() < 0.5

    def shade(p: Patch) -> Surface:
        if slabs:
            surface = concrete(env, p, (0.155, 0.15, 0.142), (3.0, 3.0))
            cobbles = pavers(env, p, (0.15, 0.135, 0.12), (0.24, 0.16), 3.0)
            surface.gloss[:] = cobbles.gloss * 0.8
            surface.temperature += 1.8
            surface.label[:] = cobbles.label
        else:
            surface = pavers(env, p, (0.15, 0.135, 0.12), (0.24, 0.17), 3.0)
        oil = spot(p, -2.7, 15.8, 0.5) + spot(p, 4.1, 13.2, 0.35) + spot(p, 3.7, 13.6, 0.2)
        surface.albedo *= (1 - 0.55 * np.clip(oil, 0, 1))[:, None]
        box = band(p.s, -3.3, 3.3, p.foot_s) * stripes(p.t + p.s, 1.3, 0.2, p.foot_t) * band(p.t, 18.6, 21.6, p.foot_t)
        lanes = band(p.s, 5.5, 5.64, p.foot_s) + band(p.s, -3.5, -3.36, p.foot_s) + band(p.s, 3.36, 3.5, p.foot_s)
        lines = np.clip(box + lanes * band(p.t, 6.5, 21.7, p.foot_t), 0, 1)
        paint_lines(env, p, surface, lines)
        drain = band(p.s, -30, 30, p.foot_s) * band(p.t, 17.5, 17.75, p.foot_t)
        grate = 0.5 + 0.5 * stripes(p.s, 0.08, 0.04, p.foot_s)
        mix(surface, drain * grate, (0.03, 0.03, 0.03), env.air + 5.5, 0.9)
        for wheel in (-0.75, 0.75):
            track = np.exp(-(((p.s - 0.4 * np.sin(p.t * 0.25) - wheel) / 0.22) ** 2))
            surface.albedo *= (1 - 0.18 * track)[:, None]
            surface.temperature += 0.7 * track
        corner = np.exp(-np.abs(p.t - np.float32(FRONT)) / 0.5) + np.exp(-np.abs(p.s - np.float32(WALL)) / 0.4)
        surface.albedo *= (1 - 0.5 * np.clip(corner, 0, 1))[:, None]
        return surface

    layout.rects += [
        Rect(1, 0.0, (WALL, 0.5), (60.0, FRONT), shade),
        Rect(1, -0.2, (-300.0, 0.5), (300.0, 400.0), lambda p: grass(env, p)),
    ]


def _buildings(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    colour = ((0.21, 0.105, 0.08), (0.17, 0.095, 0.075), (0.28, 0.2, 0.145))[int(rng.integers(0, 3))]
    height = float(rng.uniform(6.6, 8.2))
    right = float(rng.uniform(11.5, 14.0))
    front = Facade(
        wall="brick", colour=colour, start=-7.2, stop=right, height=height, salt=int(rng.integers(0, 200)),
        floor_height=height / 2 - 0.1, bay=2.9, window=(1.7, 1.5), sill=1.3, lit=0.45, gates=((-2.4, 2.4),),
        doors=(5.2,),
    )  # fmt: skip
    annex = Facade("plaster", (0.33, 0.31, 0.28), -30.0, -7.2, 4.2, int(rng.integers(0, 200)), lit=0.5, doors=(-8.9,))
    tall = Facade("concrete", (0.25, 0.245, 0.235), -26.0, -1.0, float(rng.uniform(11, 16)), 7, lit=0.3)
    layout.rects += [
        Rect(2, FRONT, (-7.2, 0.0), (right, height), facade_shader(env, front), -1.0),
        Rect(2, FRONT + 1.2, (-30.0, 0.0), (-7.2, 4.2), facade_shader(env, annex), -1.0),
        Rect(2, 48.0, (-26.0, 0.0), (-1.0, tall.height), facade_shader(env, tall), -1.0),
        Rect(2, FRONT + 3.0, (right, 0.0), (50.0, 2.6), lambda p: brick(env, p, (0.2, 0.12, 0.09)), -1.0),
        Rect(2, 62.0, (-90.0, 0.0), (90.0, 20.0), foliage_shader(env, 81.0), -1.0, ragged_top(env, 7.0, 2.0, 82.0)),
    ]

    def boundary(p: Patch) -> Surface:
        surface = concrete(env, p, (0.21, 0.205, 0.19), (2.4, 0.62))
        foot = np.exp(-np.clip(p.t, 0, None) / 0.35)
        surface.albedo *= (1 - 0.45 * foot)[:, None]
        cap = band(p.t, 2.35, 2.5, p.foot_t)
        mix(surface, cap * 0.9, (0.26, 0.255, 0.24), env.air - 0.8, 0.94)
        return surface

    layout.rects.append(Rect(0, WALL, (0.6, 0.0), (FRONT + 1.2, 2.5), boundary, 1.0))
    layout.rects.append(
        Rect(0, WALL - 1.8, (4.0, 0.0), (40.0, 6.0), foliage_shader(env, 87.0), 1.0, ragged_top(env, 3.3, 0.5, 88.0))
    )
    name = NAMES[int(rng.integers(0, len(NAMES)))]
    layout.panels += [
        Panel(0.0, 4.12, FRONT - 0.12, 4.4, 0.62, name, (0.50, 0.49, 0.45), (0.03, 0.035, 0.06)),
        Panel(
            3.55, 1.75, FRONT - 0.06, 1.3, 0.5, NOTICES[int(rng.integers(0, 4))], (0.55, 0.42, 0.05), (0.02, 0.02, 0.02)
        ),
    ]
    layout.rects.append(Rect(2, FRONT - 0.03, (5.9, 0.6), (6.9, 1.5), _vent(env), -1.0))


def _vent(env: Surroundings) -> Shader:
    """A louvre that blows warm air from the boiler room."""

    def shade(p: Patch) -> Surface:
        surface = Surface.plain(p.s.size, (0.12, 0.12, 0.12), env.air + 9.0, 0.88, "building")
        slats = stripes(p.t, 0.11, 0.06, p.foot_t)
        surface.albedo *= (1 - 0.8 * slats)[:, None]
        surface.temperature += 6.0 * slats
        return surface

    return shade


def _containers(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    order = rng.permutation(len(CONTAINERS))

    def skin(colour: Colour) -> Shader:
        def shade(p: Patch) -> Surface:
            surface = sheet_metal(env, p, colour)
            surface.label[:] = 10
            return surface

        return shade

    near = float(rng.uniform(14.6, 16.0))
    layout.rects += box_rects((6.7, 12.7), (0.0, 2.6), (near, near + 2.44), skin(CONTAINERS[order[0]]))
    if rng.random() < 0.7:
        layout.rects += box_rects((7.2, 13.2), (2.6, 5.2), (near + 0.1, near + 2.5), skin(CONTAINERS[order[1]]))
    layout.occluders.append(Occluder(9.7, near + 1.2, 3.2, 1.3, 0.0, 0.0, 2.6, contact=0.6))
    layout.panels.append(
        Panel(
            7.9,
            2.05,
            near - 0.03,
            1.9,
            0.4,
            f"PFU {rng.integers(100000, 999999)} 4",
            CONTAINERS[order[0]],
            (0.5, 0.5, 0.48),
        )
    )


def _lamps(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    warm, cold = (1.0, 0.66, 0.34), (0.92, 0.97, 1.0)
    gate = warm if rng.random() < 0.5 else cold
    metal = painted(env, (0.08, 0.08, 0.08), -0.3, "lamp")
    for x, y, colour, power in ((-2.9, 4.7, gate, 60.0), (5.2, 3.15, warm, 26.0)):
        layout.limbs.append((Limb((x, y + 0.25, FRONT), (x, y + 0.22, FRONT - 0.6), 0.03, 0.03), metal))
        glow = tuple(np.multiply(colour, 22.0).tolist())
        layout.limbs.append(
            (
                Limb((x, y + 0.12, FRONT - 0.6), (x, y, FRONT - 0.6), 0.05, 0.11),
                painted(env, (0.4, 0.4, 0.4), 18.0, "lamp", glow),
            )
        )
        layout.lamps.append(Lamp((x, y - 0.1, FRONT - 0.75), colour, power, 15.0, (0.0, -0.9, -0.4), (-0.15, 0.5)))
    limbs, lamp = street_lamp(env, -9.7, 13.5, 1.4, (1.0, 0.64, 0.3), 100.0, 5.2)
    layout.limbs += limbs
    layout.lamps.append(lamp)
    layout.occluders.append(Occluder(-9.7, 13.5, 0.09, 0.09, 0.0, 0.0, 5.0, contact=0.3))


def _add_objects(env: Surroundings, layout: Layout, rng: np.random.Generator) -> None:
    """Crates, drums, pallets, a tree behind the wall."""

    def crate(p: Patch) -> Surface:
        surface = Surface.plain(p.s.size, (0.22, 0.155, 0.095), env.air + 0.6, 0.92, "object")
        grain = env.textures.rough(p.s * 0.25, p.t * 2.0, p.foot, 1.2, 91.0)
        gaps = stripes(p.t, 0.155, 0.022, p.foot_t)
        boards = env.textures.hash(np.floor(p.t / 0.155), np.floor(p.s / 1.1), 12) - 0.5
        surface.albedo *= np.clip((1 + 0.22 * grain + 0.4 * boards) * (1 - 0.85 * gaps), 0.05, 2)[:, None]
        surface.temperature += 0.3 * grain + 0.5 * boards
        return surface

    for x, y, z, w, h in (
        (-8.9, 0.0, 18.6, 1.3, 1.05),
        (-7.4, 0.0, 18.9, 1.2, 0.95),
        (-8.6, 1.05, 18.75, 1.0, 0.8),
        (-6.0, 0.0, 19.4, 1.1, 0.5),
    ):
        layout.rects += box_rects((x, x + w), (y, y + h), (z, z + w), crate)
        layout.occluders.append(Occluder(x + w / 2, z + w / 2, w * 0.6, w * 0.6, 0.0, y, y + h, contact=0.55))
    for x, z, colour in (
        (6.3, 20.3, (0.04, 0.07, 0.15)),
        (6.95, 20.6, (0.17, 0.04, 0.03)),
        (6.5, 21.1, (0.05, 0.06, 0.06)),
    ):
        body, lid = drum(env, x, z, colour, -0.4)
        layout.limbs.append(body)
        layout.rects.append(lid)
        layout.occluders.append(Occluder(x, z, 0.33, 0.33, 0.0, 0.0, 0.95))
    body, lid = drum(env, -5.2, 15.0, (0.06, 0.04, 0.03), 55.0, fire=True)
    layout.limbs.append(body)
    layout.rects.append(lid)
    layout.occluders.append(Occluder(-5.2, 15.0, 0.32, 0.32, 0.0, 0.0, 0.95))
    layout.lamps.append(Lamp((-5.2, 1.15, 14.9), (1.0, 0.45, 0.15), 1.6, 6.0, shadows=False))
    layout.trees.append(
        Tree(-13.4, 21.0, float(rng.uniform(7.5, 9.5)), int(rng.integers(0, 2**31)), float(rng.uniform(0.2, 0.9)))
    )
    layout.trees.append(
        Tree(16.5, 31.0, float(rng.uniform(8, 10)), int(rng.integers(0, 2**31)), float(rng.uniform(0.0, 0.7)))
    )


def _traffic(config: SceneConfig, layout: Layout, rng: np.random.Generator) -> None:
    order = rng.permutation(len(PAINTS))
    bodies = ["van", "hatch", "sedan", "van"]
    places = [(3.6, 19.6, -2.0), (5.6, 12.8, np.pi / 2 + 0.12), (-8.2, 10.6, -np.pi / 2), (10.6, 11.4, np.pi / 2 - 0.1)]
    for k in range(config.num_cars):
        x, z, heading = places[k]
        layout.parked.append(Car(x, z, heading, bodies[(k + int(rng.integers(0, 4))) % 4], PAINTS[order[k]]))
    layout.drive = Drive(
        Car(-0.7, 12.2, 1.15, "hatch" if rng.random() < 0.5 else "sedan", PAINTS[order[4]], 1.0, 0.0, 5.0), 5.2, 5.0
    )
    if config.glare:
        car = Car(-3.6, 19.2, -np.pi / 2 + 0.12, "sedan", PAINTS[order[5]], 1.0, 9000.0)
        layout.parked.append(car)
        layout.lamps += headlights(car)
    if config.smoke:
        layout.plume = Plume(-5.7, 15.1, -0.4, 6.0, 1.15, 3.0, 6.0)


def _people(config: SceneConfig, layout: Layout, rng: np.random.Generator) -> None:
    look = looks(config.seed, config.num_people)
    tau = np.pi / 2
    spots: list[tuple[float, float, float, float, Pose]] = [
        (-6.2, 16.2, -tau + 0.6, 0.0, "stand"),
        (-2.75, 17.9, -tau, 0.6, "walk"),
        (7.5, 21.4, np.pi + 0.4, 0.0, "lean"),
        (4.4, 15.2, np.pi - 0.2, 5.0, "walk"),
        (5.1, 21.8, -tau, 0.0, "phone"),
        (0.9, 20.4, 0.1, 3.0, "walk"),
        (-6.9, 12.2, tau - 0.5, 4.0, "walk"),
        (6.7, 17.2, tau + 0.6, 3.0, "walk"),
        (-7.9, 17.9, 0.3, 0.0, "crouch"),
        (2.3, 10.2, np.pi, 4.5, "walk"),
        (7.4, 22.2, np.pi, 0.0, "stand"),
        (-1.2, 22.0, -tau, 0.0, "crouch"),
    ]
    for number in range(config.num_people):
        x, z, heading, length, pose = spots[number]
        start = float(rng.uniform(0.1, 0.6)) * length if number > 1 else 0.0
        layout.walks.append(Walk(float(x), float(z), float(heading), length, pose, look[number], start))
