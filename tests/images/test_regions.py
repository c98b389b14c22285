"""Regions: label maps, masks, the styles that they take, and errors in one line."""

import numpy as np
import pytest

from nst_tf.images import Canvas, Picture, Propagation, Regions, opaque_regions, read_picture, resize_mask
from nst_tf.images.label_map import read_label_map
from nst_tf.images.reading import Limits
from nst_tf.util.errors import InputError

HEIGHT, WIDTH = 40, 60
RNG = np.random.default_rng(3)


def picture(pixels, alpha=None, source="p.png"):
    return Picture(np.asarray(pixels, np.float32), None if alpha is None else np.asarray(alpha, np.float32), source)


def plain(height=HEIGHT, width=WIDTH, source="photo.png", alpha=None):
    return picture(np.full((height, width, 3), 0.5), alpha, source)


def halves(left, right, height=HEIGHT, width=WIDTH, source="labels.png"):
    pixels = np.empty((height, width, 3))
    pixels[:, : width // 2], pixels[:, width // 2 :] = left, right
    return picture(pixels, source=source)


def grey(values, source="mask.png"):
    return picture(np.repeat(np.asarray(values)[..., None], 3, axis=2), source=source)


LEFT = np.zeros((HEIGHT, WIDTH))
LEFT[:, :30] = 1
RED, BLUE, LIME = (1, 0, 0), (0, 0, 1), (0, 1, 0)
CONTENT, STYLE, OTHER = plain(), plain(50, 30, "style.png"), plain(30, 30, "other.png")


def at(regions, styles=(STYLE,), content=CONTENT, shape=(20, 30)):
    return {r.name: r for r in regions.at(content, styles, shape, [s.pixels.shape[:2] for s in styles])}


def test_a_label_map_has_a_region_for_each_colour_which_takes_the_same_colour_of_the_style():
    style_labels = halves(BLUE, RED, 50, 30, "style_labels.png")
    regions = at(Regions(labels=halves(RED, BLUE), style_labels=style_labels))
    assert set(regions) == {"red", "blue"}
    np.testing.assert_array_equal(regions["red"].content, resize_mask(LEFT, 20, 30))
    np.testing.assert_array_equal(regions["red"].styles["style:1"][:, :15], 0)
    np.testing.assert_array_equal(regions["red"].styles["style:1"][:, 15:], 1)
    assert [region.share for region in regions.values()] == [0.5, 0.5]


def test_similar_and_rare_colours_join_the_regions_of_frequent_ones():
    pixels = halves(RED, BLUE).pixels.copy()
    pixels[:, :30] -= RNG.uniform(0, 0.05, (HEIGHT, 30, 3)) * RED
    pixels[:3, 0] = (0.9, 0.2, 0.1)  # 3 of 2400 pixels
    found = read_label_map(picture(pixels))
    assert len(found.colours) == 2
    np.testing.assert_array_equal(found.index[:, :30], found.index[0, 0])
    np.testing.assert_array_equal(found.index[:, 30:], found.index[0, -1])


def test_a_photograph_is_no_label_map():
    with pytest.raises(InputError, match=r"'cat.png' \(regions\) is no label map: it has no frequent colours"):
        read_label_map(picture(RNG.uniform(size=(HEIGHT, WIDTH, 3)), source="cat.png"))


def test_a_colour_without_a_name_in_css_has_its_digits_and_settings_give_it_another():
    labels = halves((0.2, 0.4, 0.8), LIME)
    assert set(Regions(labels=labels).names(CONTENT)) == {"3366cc", "lime"}
    assert set(Regions(labels=labels, colours={"sky": "#3366cc"}).names(CONTENT)) == {"sky", "lime"}


def test_what_no_mask_covers_is_the_region_rest():
    regions = at(Regions(masks={"face": grey(LEFT)}))
    assert list(regions) == ["face", "rest"]
    np.testing.assert_allclose(regions["face"].content + regions["rest"].content, 1)
    assert list(at(Regions(masks={"a": grey(LEFT), "b": grey(1 - LEFT)}))) == ["a", "b"]


def test_a_mask_may_be_soft_of_any_size_and_transparent():
    ramp = np.linspace(0, 1, 120)[None].repeat(80, 0)
    for mask in (grey(ramp), picture(RNG.uniform(size=(80, 120, 3)), ramp)):
        content = at(Regions(masks={"face": mask}))["face"].content
        np.testing.assert_allclose(content, ramp.reshape(20, 4, 30, 4).mean((1, 3)), atol=1e-6)


def test_alpha_is_the_transparency_of_the_picture_itself():
    content = plain(alpha=LEFT)
    assert at(Regions(masks={"subject": "alpha"}), content=content)["subject"].content.sum() == 300
    with pytest.raises(InputError, match=r"^regions.masks.subject=alpha: 'photo.png' \(the content\) has no transp"):
        at(Regions(masks={"subject": "alpha"}))


def test_a_region_takes_the_style_that_style_of_names_or_every_style():
    regions = Regions(masks={"a": grey(LEFT), "b": grey(1 - LEFT)}, style_of={"a": 2})
    assert {name: list(r.styles) for name, r in at(regions, (STYLE, OTHER)).items()} == {
        "a": ["style:2"],
        "b": ["style:1", "style:2"],
    }


def test_a_region_takes_a_part_of_its_style():
    mask = np.zeros((50, 30))
    mask[:10] = 1
    regions = Regions(masks={"a": grey(LEFT)}, style_masks={"a": [None, grey(mask)]}, style_of={"a": 2})
    found = at(regions, (OTHER, STYLE))
    np.testing.assert_array_equal(found["a"].styles["style:2"], mask)
    assert found["rest"].styles == {"style:1": None, "style:2": None}


def test_weights_are_shares_of_the_regions_that_take_a_style():
    masks = {"a": grey(LEFT), "b": grey(1 - LEFT)}
    regions = at(Regions(masks=masks, weights={"a": 3.0}, propagation="inside", grow=2))
    assert {name: region.share for name, region in regions.items()} == {"a": 0.75, "b": 0.25}
    assert (regions["a"].propagation, regions["a"].grow) == (Propagation.inside, 2)


def test_a_region_without_a_style_stays_the_photograph_behind_a_blended_seam():
    regions = Regions(masks={"face": grey(LEFT)}, style_of={"face": "none"}, seam=4)
    assert regions.names(CONTENT) == ["rest"]
    kept = regions.kept(CONTENT, HEIGHT, WIDTH)
    content, result = CONTENT.pixels[None], RNG.uniform(size=(1, HEIGHT, WIDTH, 3)).astype(np.float32)
    finished = Canvas(size=60).finish(result, CONTENT, kept=kept)
    np.testing.assert_allclose(finished[:, :, :20], content[:, :, :20], atol=1e-5)
    np.testing.assert_allclose(finished[:, :, 40:], result[:, :, 40:], atol=1e-5)
    assert (np.diff(kept[5, 22:38]) < 0).all()
    hard = Regions(masks={"face": grey(LEFT)}, style_of={"face": "none"}, seam=0).kept(CONTENT, HEIGHT, WIDTH)
    np.testing.assert_array_equal(hard, LEFT)
    assert Regions().kept(CONTENT, HEIGHT, WIDTH) is None


def test_a_seam_is_a_cut_at_half_of_the_mask_or_where_both_pictures_are_equal():
    regions = Regions(masks={"face": grey(0.6 * LEFT + 0.3)}, style_of={"face": "none"}, blend="hard")
    np.testing.assert_array_equal(regions.kept(CONTENT, HEIGHT, WIDTH), LEFT)
    assert not regions.seam_follows_result
    result = RNG.uniform(0.6, 1, (HEIGHT, WIDTH, 3)).astype(np.float32)
    result[:, 25:27] = 0.5  # as the photograph
    regions = Regions(masks={"face": grey(LEFT)}, style_of={"face": "none"}, blend="mrf", seam=20)
    assert regions.seam_follows_result
    kept = regions.kept(CONTENT, HEIGHT, WIDTH, result=result)
    np.testing.assert_array_equal(kept, np.arange(WIDTH)[None].repeat(HEIGHT, 0) < 26)
    narrow = regions.kept(CONTENT, HEIGHT, WIDTH, scale=0.1, result=result)
    np.testing.assert_array_equal(narrow[:, :29], 1)  # the band has the width 2 at this scale
    assert not Regions(blend="mrf").seam_follows_result


def maps_of(style_map, content_map=None, styles=(STYLE,), shape=(20, 30), **settings):
    regions = Regions(map=content_map or halves(RED, BLUE, source="map.png"), style_map=style_map, **settings)
    return regions.at(CONTENT, styles, shape, [(25, 15)] * len(styles))


def test_semantic_maps_are_averaged_at_the_size_of_each_picture_and_extended_with_it():
    colours = RNG.uniform(size=(50, 30, 3)).astype(np.float32)
    (whole,) = maps_of(picture(colours))
    assert (whole.name, whole.share, whole.content) == ("", 1.0, None)
    assert whole.styles == {"content": None, "style:1": None}
    np.testing.assert_allclose(whole.maps["style:1"], colours.reshape(25, 2, 15, 2, 3).mean((1, 3)), atol=1e-6)
    np.testing.assert_array_equal(whole.maps["content"][:, :15], [[RED] * 15] * 20)
    extended = whole.extended(3, 0)
    padded = np.pad(whole.maps["content"], [(3, 3), (3, 3), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(extended.maps["content"], padded)
    np.testing.assert_array_equal(extended.maps["style:1"], whole.maps["style:1"])


def test_regions_and_the_opaque_picture_have_the_semantic_maps():
    regions = maps_of(plain(50, 30), masks={"left": grey(LEFT)})
    assert [region.name for region in regions] == ["left", "rest", ""]
    content = plain(alpha=LEFT)
    limited = opaque_regions(regions, content, [STYLE], (20, 30), [(25, 15)])
    assert [region.name for region in limited] == ["left", "rest", ""]
    assert all(set(region.maps) == {"content", "style:1"} for region in limited)
    np.testing.assert_array_equal(limited[-1].content, resize_mask(LEFT, 20, 30))


def test_each_style_has_a_semantic_map():
    (whole,) = maps_of([halves(LIME, RED, 50, 30), plain(30, 30)], styles=(STYLE, OTHER))
    assert list(whole.maps) == ["content", "style:1", "style:2"]


def test_strength_blends_the_result_with_the_photograph():
    result = RNG.uniform(size=(1, HEIGHT, WIDTH, 3)).astype(np.float32)
    for strength in (0.0, 0.25, 1.0):
        finished = Canvas(size=60, strength=strength).finish(result, CONTENT)
        np.testing.assert_allclose(finished, strength * result + (1 - strength) * 0.5, atol=1e-6)
    with pytest.raises(InputError, match=r"^image.strength=1.5: must be from 0"):
        Canvas(strength=1.5)


def test_each_style_has_its_own_scale():
    canvas = Canvas(size=100, style_scale=[1, 0.5], enlarge_style=True)
    shapes = [style.shape[1:3] for style in canvas.styles([OTHER, STYLE], np.zeros((1, 40, 60, 3), np.float32))]
    assert shapes == [(100, 100), (50, 30)]
    assert canvas.style_size_scale(50, 30, 2) == 1.0
    with pytest.raises(InputError, match=r"^image.style_scale=0.0: must be above 0"):
        Canvas(style_scale=[1.0, 0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"masks": {"a": grey(0 * LEFT)}}, "regions.masks.a: the mask 'mask.png' is empty"),
        (
            {"masks": {"a": grey(np.ones((40, 40)))}},
            "regions.masks.a: 'mask.png' has 40x40 pixels and does not fit",
        ),
        ({"labels": halves(RED, BLUE, 60, 40)}, "regions.labels: 'labels.png' has 40x60 pixels and does not fit the"),
        (
            {"labels": halves(RED, BLUE), "style_labels": halves(RED, LIME, 50, 30)},
            "regions.style_labels: the region 'blue' has a colour that no style has",
        ),
        (
            {"labels": halves(RED, BLUE), "style_labels": halves(RED, LIME, 50, 30), "style_of": {"blue": 1}},
            "regions.style_labels: the region 'blue' has a colour that style 1 has not",
        ),
        ({"labels": halves(RED, BLUE), "colours": {"sky": "green"}}, "regions.colours.sky=green: 'labels.png'"),
        ({"masks": {"a": grey(LEFT)}, "colours": {"sky": "green"}}, "regions.colours="),
        ({"masks": {"a": grey(LEFT)}, "style_of": {"b": 1}}, "regions.style_of.b: no such region; there are: a, rest"),
        ({"masks": {"a": grey(LEFT)}, "style_of": {"a": 2}}, "regions.style_of.a=2: the run has 1 style"),
        ({"masks": {"a": grey(LEFT)}, "style_masks": {"a": [None, None]}}, "regions.style_masks.a: has 2 masks for 1"),
        ({"labels": halves(RED, BLUE), "style_labels": [None, None]}, "regions.style_labels: has 2 label maps for 1"),
        ({"masks": {"a": grey(LEFT)}, "weights": {"a": 0.0, "rest": 0.0}}, "regions.weights="),
        ({"style_of": {"a": 1}}, "regions.style_of: needs the content's regions"),
        ({"map": plain()}, "regions.style_map=null: regions.map is compared with it"),
        ({"style_map": plain(50, 30)}, "regions.map=null: regions.style_map is compared with it"),
        ({"map": plain(), "style_map": [None]}, "regions.style_map=null: regions.map is compared with it"),
        ({"map": plain(), "style_map": [plain(50, 30)] * 2}, "regions.style_map: has 2 maps for 1 style(s)"),
        ({"map": plain(60, 40), "style_map": plain(50, 30)}, "regions.map: 'photo.png' has 40x60 pixels and does not"),
        ({"map": plain(), "style_map": plain()}, "regions.style_map: 'photo.png' has 60x40 pixels and does not fit"),
    ],
)
def test_masks_that_do_not_fit_are_refused_in_one_line(settings, message):
    with pytest.raises(InputError) as error:
        Regions(**settings).check(CONTENT, [STYLE])
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"style_of": {"a": 0}}, "regions.style_of.a=0: must be the number"),
        ({"style_of": {"a": True}}, "regions.style_of.a=True: must be the number"),
        ({"masks": {"a/b": "x.png"}}, "regions: 'a/b' cannot name a region"),
        ({"masks": {"rest": "x.png"}}, "regions: 'rest' cannot name a region"),
        ({"masks": {"a": 3}}, "regions.masks=3: must be a path"),
        ({"colours": {"a": "no colour"}}, "regions.colours.a='no colour': must be a colour"),
        ({"weights": {"a": -1.0}}, "regions.weights.a=-1"),
        ({"seam": -1.0}, "regions.seam=-1"),
        ({"propagation": "outside"}, "regions.propagation"),
        ({"blend": "soft"}, "regions.blend='soft': must be one of gaussian, hard, mrf"),
        ({"labels": "alpha"}, "regions.labels=alpha: must be a picture of colours"),
        ({"style_map": ["alpha"]}, "regions.style_map=alpha: must be a picture of colours"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError) as error:
        Regions(**settings)
    assert str(error.value).startswith(message)


def test_masks_are_read_from_files_and_recorded_by_role(tmp_path):
    from PIL import Image

    Image.fromarray((255 * LEFT).astype(np.uint8)).save(tmp_path / "left.png")
    path = str(tmp_path / "left.png")
    regions = Regions(masks={"a": path, "b": "alpha"}, style_masks={"a": [None, path]}).with_masks_read(Limits())
    pictures = regions.pictures()
    assert list(pictures) == ["regions.masks.a", "regions.style_masks.a:2"]
    assert {picture.sha256 for picture in pictures.values()} == {read_picture(path).sha256}
    assert regions.with_source_texts().masks == {"a": path, "b": "alpha"}
    with pytest.raises(InputError, match=r"^No such picture: 'gone.png' \(regions.masks\)"):
        Regions(masks={"a": "gone.png"}).with_masks_read(Limits())


def test_the_sample_label_map_fits_its_photograph():
    content = read_picture("sample:coffee")
    regions = Regions(labels=read_picture("sample:coffee_regions"), colours={"cup": "red", "table": "blue"})
    regions.check(content, [content])
    assert set(regions.names(content)) == {"cup", "table"}


def test_the_label_maps_of_both_samples_have_the_same_colours():
    content, style = (read_picture(f"sample:{name}") for name in ("coffee", "night_swirls"))
    labels = [read_picture(f"sample:{name}_regions") for name in ("coffee", "night_swirls")]
    regions = Regions(labels=labels[0], style_labels=labels[1])
    regions.check(content, [style])
    assert set(regions.names(content)) == {"red", "blue"}
    field = read_label_map(labels[1]).mask(np.array(RED)) > 0
    warm = style.pixels[..., 0] > style.pixels[..., 2]
    assert warm[field].mean() > 0.85  # the field is gold, the sky is blue
    assert warm[~field].mean() < 0.5
