"""The fifteen datasets on small folders laid out exactly as the real ones: lists, samples, halves, and bad input."""

import csv
import json
import math
import pickle
import random
import shutil

import pytest
import torch
from layouts import COUNTS, SPLIT_SETS, WNIDS, lay_out, picture

from maple_lite import MaPLe, PromptedCLIP, accuracy, base_and_novel, fit, seeded
from maple_lite.datasets import CATALOG, ROOT, open_dataset
from maple_lite.datasets.photos.catalog import dataset_name, find_missing
from maple_lite.support.files import data_folder

WITH_TRAINING = [name for name, entry in CATALOG.items() if entry.domain_of is None]
WITH_VAL = [name for name in WITH_TRAINING if name != "imagenet"]


def rows(data):
    """The (path, label) pairs of a dataset's items."""
    return [(item.path, label) for item, label in zip(data.items, data.labels, strict=True)]


def drawn_by_the_authors(lists, shots, seed):
    """The training and the validation sample, written out plainly on Python's own global generator."""

    def sample(items, count):
        groups = {}
        for item in items:
            groups.setdefault(item[1], []).append(item)
        chosen = []
        for members in groups.values():
            chosen += random.sample(members, count)
        return chosen

    random.seed(seed)
    return sample(lists["train"], shots), sample(lists["val"], min(shots, 4)) if "val" in lists else []


def half_by_the_authors(items, n_classes, novel):
    """Items of base or novel classes, relabelled, written out plainly."""
    first = math.ceil(n_classes / 2)
    return [(path, y - first * novel) for path, y in items if (y >= first) == novel]


def test_the_catalogue_has_the_papers_datasets_titles_and_templates():
    with (data_folder() / "paper" / "datasets.csv").open() as file:
        paper = {row["name"]: (row["title"], row["template"]) for row in csv.DictReader(file)}
    ours = {name: (entry.title, entry.template) for name, entry in CATALOG.items() if name in paper}
    assert ours == paper
    assert set(CATALOG) - set(paper) == {"imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r"}
    assert {CATALOG[name].template for name in set(CATALOG) - set(paper)} == {"a photo of a {}."}


@pytest.mark.parametrize(
    "spelling, name",
    [
        ("OxfordPets", "oxford_pets"),
        ("OxfordFlowers", "oxford_flowers"),
        ("Flowers102", "oxford_flowers"),
        ("DescribableTextures", "dtd"),
        ("FGVCAircraft", "fgvc_aircraft"),
        ("caltech-101", "caltech101"),
        ("ImageNetSketch", "imagenet_sketch"),
        ("ImageNet-A", "imagenet_a"),
        ("imagenet-rendition", "imagenet_r"),
        ("sea", None),
    ],
)
def test_the_authors_spellings_are_understood(spelling, name):
    assert dataset_name(spelling) == name


@pytest.mark.parametrize("name", CATALOG)
def test_names_lists_and_pictures_are_those_of_the_folder(tmp_path, clip, name):
    assert find_missing(CATALOG[name], tmp_path) == list(CATALOG[name].needs)
    class_names, lists = lay_out(tmp_path, name)
    assert find_missing(CATALOG[name], tmp_path) == []
    data = open_dataset(name, tmp_path, clip)
    assert (data.name, data.class_names, data.template) == (name, class_names, CATALOG[name].template)
    assert rows(data) == rows(data.test()) == lists["test"]
    assert not data.own
    images, labels = data.batch(range(len(data)))
    assert images.shape == (len(data), 3, 32, 32)
    assert labels.tolist() == [label for _, label in lists["test"]]
    greys = images.mean(dim=(1, 2, 3))  # grows with the label by the way in which pictures were made
    assert greys.argsort(stable=True).tolist() == labels.argsort(stable=True).tolist()


@pytest.mark.parametrize("name", WITH_TRAINING)
@pytest.mark.parametrize("shots, seed", [(1, 1), (4, 2), (6, 3)])
def test_samples_are_the_authors_in_their_order(tmp_path, name, shots, seed):
    class_names, lists = lay_out(tmp_path, name)
    data = open_dataset(name, tmp_path)
    train, val = drawn_by_the_authors(lists, shots, seed)
    assert rows(data.train(shots, seed)) == train
    base, novel = base_and_novel(len(class_names))
    for novel_half, half in ((False, data.subset(base)), (True, data.subset(novel))):
        assert rows(half.train(shots, seed)) == half_by_the_authors(train, len(class_names), novel_half)
        assert rows(half.test()) == rows(half) == half_by_the_authors(lists["test"], len(class_names), novel_half)
        if name in WITH_VAL:
            assert rows(half.val(shots, seed)) == half_by_the_authors(val, len(class_names), novel_half)
    if name in WITH_VAL:
        assert rows(data.val(shots, seed)) == val
        assert len(val) == min(shots, 4) * len(class_names)


def test_classes_are_drawn_in_the_order_of_the_train_list(tmp_path):
    lay_out(tmp_path, "dtd")
    labels = open_dataset("dtd", tmp_path).train(2, 1).labels
    assert labels == [2, 2, 1, 1, 0, 0]  # the list starts with the last class, and a subset keeps the order


def test_a_subset_takes_names_or_labels_in_the_given_order(tmp_path):
    lay_out(tmp_path, "eurosat")
    data = open_dataset("eurosat", tmp_path)
    part = data.subset(["Sea or Lake", "Annual Crop Land"])
    assert part.class_names == ["Sea or Lake", "Annual Crop Land"]
    assert {path.split("/")[0]: label for path, label in rows(part)} == {"SeaLake": 0, "AnnualCrop": 1}
    assert part.subset([1]).class_names == ["Annual Crop Land"]
    assert rows(part.subset([1]).test()) == [(path, 0) for path, label in rows(part.test()) if label == 1]
    for wrong in ([], [0, 0], [3], ["Forst"], [-1], [0.5]):
        with pytest.raises(ValueError, match=r"subset needs|classes are 0 to 2|did you mean 'Forest'|class_id must"):
            data.subset(wrong)


def test_v2_folders_are_line_numbers_and_not_sorted_words(tmp_path):
    lay_out(tmp_path, "imagenetv2")
    images = tmp_path / "imagenetv2" / "imagenetv2-matched-frequency-format-val"
    text = "".join(f"n{100 - i:08} class {i}\n" for i in range(12))  # wnids fall, "10" sorts before "2"
    (tmp_path / "imagenetv2" / "classnames.txt").write_text(text)
    for i in range(12):
        picture(images / str(i) / "only.jpg", 0)
    data = open_dataset("imagenetv2", tmp_path)
    assert data.class_names == [f"class {i}" for i in range(12)]
    assert {path.split("/")[0]: label for path, label in rows(data)} == {str(i): i for i in range(12)}


def test_imagenets_training_pictures_are_listed_only_when_asked(tmp_path):
    lay_out(tmp_path, "imagenet")
    data = open_dataset("imagenet", tmp_path)
    assert "training" not in vars(data.listing)
    data.train(1)
    assert len(data.listing.training) == COUNTS["train"] * len(WNIDS)


def test_the_environment_variable_names_the_root(tmp_path, monkeypatch):
    class_names, _ = lay_out(tmp_path, "ucf101")
    monkeypatch.setenv(ROOT, str(tmp_path))
    assert open_dataset("UCF101").class_names == class_names
    assert open_dataset("UCF101", template="an action: {}.").template == "an action: {}."


def test_it_trains_to_the_same_bits_and_survives_pickling(tmp_path, clip):
    lay_out(tmp_path, "dtd")
    data = open_dataset("dtd", tmp_path, clip)

    def losses(train_set):
        with seeded(1):
            model = PromptedCLIP(clip, MaPLe(clip), data.class_names)
        return fit(model, train_set, epochs=2, lr=0.002, batch_size=4, bar=False).losses, accuracy(model, data)

    torch.rand(3)
    first = losses(data.train(2, 1))
    torch.rand(5)
    assert losses(pickle.loads(pickle.dumps(data)).train(2, 1)) == first
    assert data.train(2, 1).augmented
    assert not data.augmented
    assert not data.val(2, 1).augmented


def one_sentence(error):
    """The error's text, which must be one sentence on one line."""
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_a_missing_root_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.delenv(ROOT, raising=False)
    with pytest.raises(ValueError, match=f"set the environment variable {ROOT}, or pass root"):
        open_dataset("eurosat")
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder: correct root"):
        open_dataset("eurosat", tmp_path / "nowhere")
    monkeypatch.setenv(ROOT, str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=f"correct {ROOT}"):
        open_dataset("eurosat")


@pytest.mark.parametrize("name", CATALOG)
def test_a_missing_folder_or_file_says_what_to_put_where(tmp_path, name):
    entry = CATALOG[name]
    with pytest.raises(FileNotFoundError) as error:
        open_dataset(name, tmp_path)
    text = one_sentence(error)
    assert "is not there: put" in text
    assert str(tmp_path / entry.folder) in text
    assert all(need in text for need in entry.needs)
    (tmp_path / entry.folder / entry.needs[0]).mkdir(parents=True)
    assert find_missing(entry, tmp_path) == list(entry.needs)  # an empty folder does not count
    (tmp_path / entry.folder / entry.needs[0]).rmdir()
    lay_out(tmp_path, name)
    file = entry.needs[-1]
    (tmp_path / entry.folder / file).unlink()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileNotFoundError, match=f"is incomplete: put {file} into"):
        open_dataset(name, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before  # a missing split file is never made


def test_unknown_names_show_close_ones_and_domains_do_not_train(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'eurosat'"):
        open_dataset("eurosatt", tmp_path)
    lay_out(tmp_path, "imagenet_a")
    lay_out(tmp_path, "imagenet")
    with pytest.raises(ValueError, match="imagenet_a has no training list"):
        open_dataset("ImageNet-A", tmp_path).train(1)
    with pytest.raises(ValueError, match="imagenet has no val list of its own"):
        open_dataset("imagenet", tmp_path).val(1)
    with pytest.raises(ValueError, match=r"ImageNet has a test set of its own: leave test_share=0\.5 out"):
        open_dataset("imagenet", tmp_path, test_share=0.5)
    with pytest.raises(ValueError, match="template needs one"):
        open_dataset("imagenet", tmp_path, template="a photo.")


def test_too_many_shots_name_the_class(tmp_path):
    lay_out(tmp_path, "food101")
    data = open_dataset("food101", tmp_path)
    with pytest.raises(ValueError, match="class 'apple_pie' of food101 has 9 images to draw from, 10 shots"):
        data.train(10)
    for shots in (0, 1.5):
        with pytest.raises(ValueError, match="shots must be"):
            data.train(shots)
    assert len(data.val(9)) == 4 * 3


def change_split(root, name, change):
    """Changes the content of a split file."""
    file = root / SPLIT_SETS[name][0] / SPLIT_SETS[name][1]
    content = json.loads(file.read_text())
    file.write_text(json.dumps(change(content) or content))


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda s: s.pop("val") and None, "must hold the three lists train, val and test"),
        (lambda s: [1], "must hold the three lists"),
        (lambda s: s["test"].append(["a.jpg", "0", "x"]), "which is not .path, label, class name."),
        (lambda s: s["test"].append(["a.jpg", 0]), "which is not .path"),
        (lambda s: s["test"].append(["a.jpg", 0, "other"]), "calls label 0 both 'abbey' and 'other'"),
        (lambda s: s["test"].append(["a.jpg", 9, "far"]), "has 4 classes, but none with label 3"),
        (lambda s: s["train"].append(["../../secret.jpg", 0, "abbey"]), "not a file inside its folder"),
        (lambda s: s["train"].append(["/etc/passwd", 0, "abbey"]), "not a file inside its folder"),
    ],
)
def test_a_split_file_that_is_not_one_is_refused(tmp_path, change, words):
    lay_out(tmp_path, "sun397")
    change_split(tmp_path, "sun397", change)
    with pytest.raises(ValueError, match=words) as error:
        open_dataset("sun397", tmp_path)
    assert "split_zhou_SUN397.json" in one_sentence(error)


def test_damaged_json_and_foreign_encodings_are_named(tmp_path):
    lay_out(tmp_path, "dtd")
    file = tmp_path / "dtd" / "split_zhou_DescribableTextures.json"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"Textures.json is damaged \(.*\): fetch it again") as error:
        open_dataset("dtd", tmp_path)
    one_sentence(error)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        open_dataset("dtd", tmp_path)


def test_missing_pictures_are_counted_and_the_first_is_named(tmp_path):
    _, lists = lay_out(tmp_path, "stanford_cars")
    gone = [lists["train"][3][0], lists["train"][0][0], lists["test"][1][0]]
    for path in gone:
        (tmp_path / "stanford_cars" / path).unlink()
    with pytest.raises(FileNotFoundError) as error:
        open_dataset("stanford_cars", tmp_path)
    text = one_sentence(error)
    assert f"3 of the {19 * 2} pictures that split_zhou_StanfordCars.json lists are missing" in text
    assert f"the first is {gone[1]}" in text


def test_aircraft_lines_of_unknown_variants_and_missing_pictures_are_named(tmp_path):
    _, lists = lay_out(tmp_path, "fgvc_aircraft")
    file = tmp_path / "fgvc_aircraft" / "images_variant_val.txt"
    (tmp_path / "fgvc_aircraft" / "images" / lists["val"][0][0]).unlink()
    with pytest.raises(FileNotFoundError, match=f"1 of the 57 pictures .* first is {lists['val'][0][0]}"):
        open_dataset("fgvc_aircraft", tmp_path)
    file.write_text(file.read_text() + "1000000 Concorde\n")
    with pytest.raises(ValueError, match=r"has the line '1000000 Concorde', whose class is not in variants\.txt"):
        open_dataset("fgvc_aircraft", tmp_path)
    file.write_text("\n")
    with pytest.raises(ValueError, match=r"images_variant_val\.txt is empty"):
        open_dataset("fgvc_aircraft", tmp_path)


def test_class_folders_that_are_missing_empty_or_unknown_are_named(tmp_path):
    lay_out(tmp_path, "imagenet_sketch")
    images = tmp_path / "imagenet-sketch" / "images"
    (images / "n99999999").mkdir()
    with pytest.raises(ValueError, match="n99999999"):
        open_dataset("imagenet_sketch", tmp_path)
    (images / "n99999999").rmdir()
    folder = images / "n01443537"
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(ValueError, match="n01443537 is empty"):
        open_dataset("imagenet_sketch", tmp_path)
    folder.rmdir()
    with pytest.raises(FileNotFoundError, match=r"1 of the 4 class folders of .* the first is n01443537"):
        open_dataset("imagenet_sketch", tmp_path)
    (tmp_path / "imagenet-sketch" / "classnames.txt").write_text("n01440764\n")
    with pytest.raises(ValueError, match="each line names one more folder and its class"):
        open_dataset("imagenet_sketch", tmp_path)


@pytest.mark.parametrize("split, shots", [("val", None), ("train", 1)])
def test_half_an_imagenet_is_refused(tmp_path, split, shots):
    lay_out(tmp_path, "imagenet")
    shutil.rmtree(tmp_path / "imagenet" / "images" / split / "n01498041")
    with pytest.raises(FileNotFoundError, match=rf"1 of the 4 class folders of .*{split} are missing") as error:
        open_dataset("imagenet", tmp_path).train(shots)
    assert "the first is n01498041" in one_sentence(error)


def test_damaged_pictures_stop_the_run_unless_asked_to_go_on(tmp_path, clip):
    _, lists = lay_out(tmp_path, "caltech101")
    images = tmp_path / "caltech-101" / "101_ObjectCategories"
    sample = rows(open_dataset("caltech101", tmp_path).train(3, 1))
    broken = [lists["test"][2][0], lists["test"][7][0], sample[4][0]]
    (images / broken[0]).write_bytes((images / broken[0]).read_bytes()[:150])
    (images / broken[1]).write_text("not a picture")
    (images / broken[2]).write_bytes(b"")
    data = open_dataset("caltech101", tmp_path, clip)
    with pytest.raises(ValueError, match=f"2 of these 12 pictures of caltech101 are damaged, .*{broken[0]}") as error:
        data.batch(range(12))
    assert "skip_damaged=True" in one_sentence(error)
    data = open_dataset("caltech101", tmp_path, clip, skip_damaged=True)
    assert [path[len(str(images)) + 1 :] for path in data.damaged] == broken[:2]
    assert rows(data) == [row for row in lists["test"] if row[0] not in broken]
    train = data.train(3, 1)
    assert rows(train) == [row for row in sample if row[0] != broken[2]]  # the others are still the authors' sample
    assert len(train.damaged) == 1
    assert data.batch(range(len(data)))[0].isfinite().all()
    assert data.train(3, 1).subset([2]).labels


def test_a_class_without_any_readable_picture_is_an_error(tmp_path):
    _, lists = lay_out(tmp_path, "caltech101")
    for path, label in lists["test"]:
        if label == 1:
            (tmp_path / "caltech-101" / "101_ObjectCategories" / path).write_text("no")
    with pytest.raises(ValueError, match="none of the pictures of class 'leopard' that are needed here can be read"):
        open_dataset("caltech101", tmp_path, skip_damaged=True)
